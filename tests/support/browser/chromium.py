"""The Chromium that opens pages in tests, and the options that it is started with."""

import shutil

PROGRAMS = ("chromium-headless-shell", "chromium", "chromium-browser")
"""The shell first: it draws the same pages without a window, at two thirds of the work."""
CHROMIUM = next(filter(None, map(shutil.which, PROGRAMS)), None)
CHROMIUM_OPTIONS = [
    *("--no-sandbox", "--disable-dev-shm-usage", "--no-zygote"),
    *("--disable-gpu", "--disable-software-rasterizer"),
    *("--disable-extensions", "--disable-background-networking"),
]
"""Without what no page here needs: it takes a sixth of Chromium's time."""
