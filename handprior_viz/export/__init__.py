"""Poses and walks as files: parameters, meshes, pictures, films and a page whose sliders move the hand."""
