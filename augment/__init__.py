"""Images in, images out: data sets, formats, sampling plans, blending. Knows no model."""
