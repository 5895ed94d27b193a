"""What the book's notebooks and the tests run under, the same everywhere."""

ENVIRONMENT = {
    "A3C_LIB_PROGRESS": "off",  # a progress bar's last line holds seconds
    "OMP_NUM_THREADS": "1",
    "PYTHONHASHSEED": "0",
    "SDL_VIDEODRIVER": "dummy",  # pygame draws without a screen
}
