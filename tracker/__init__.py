"""A streaming online-EM video tracker for static cameras."""

__version__ = "0.1.0"
