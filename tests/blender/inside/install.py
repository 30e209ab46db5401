"""Install the extension's zip in the Blender of this Python, as `extension install-file` does."""

from __future__ import annotations

import importlib
import os
from types import ModuleType

import bpy

PACKAGE = "bl_ext.user_default.kmm"


def install() -> ModuleType:
    """The installed, enabled extension's module `stream`, with the test's weights chosen."""
    bpy.ops.wm.read_factory_settings()
    bpy.ops.extensions.package_install_files(
        filepath=os.environ["KMM_ADDON_ZIP"], repo="user_default", enable_on_install=True
    )
    bpy.context.preferences.addons[PACKAGE].preferences.weights = os.environ["KMM_TEST_WEIGHTS"]
    return importlib.import_module(f"{PACKAGE}.stream")
