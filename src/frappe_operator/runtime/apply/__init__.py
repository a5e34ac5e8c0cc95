"""Creates, corrects and deletes the children of an object."""
