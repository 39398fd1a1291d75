"""From the cells of a file to typed answers, with a fault for each cell that is none."""
