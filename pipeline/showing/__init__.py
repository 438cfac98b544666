"""What a page, a figure or a comparison shows of fits: gathered from the fits and their stores."""
