"""Records of a data set: their list, their pictures, their conversation."""
