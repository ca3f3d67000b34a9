"""What a competent user would write instead of this project's scripts, with PyTorch, SimpleITK, SciPy and scikit-image.

The scripts import nothing of the project. Each is run as a file.
"""
