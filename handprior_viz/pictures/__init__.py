"""What stills are drawn with: the stage, light, soft shadows, smooth skin, OpenGL, and a rasteriser without it."""
