"""From a model file to a posed hand mesh: safe loading, cutting out the hands, skinning, arranging, smoothing."""
