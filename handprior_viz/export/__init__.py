"""Everything that goes out: poses as numbers, pictures, films, meshes and pages, and the explorer's menu for them."""

from handprior_viz.export.files import FORMATS, Format, save
from handprior_viz.export.menu import ExportMenu

__all__ = ["FORMATS", "ExportMenu", "Format", "save"]
