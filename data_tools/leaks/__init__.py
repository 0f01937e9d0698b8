"""Parts of the leak report: distances to the nearest frame, copies, and what they say."""
