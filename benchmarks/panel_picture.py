"""Draw the guide's picture of the bone table, in a Blender that has a window (or a virtual screen).

    blender --factory-startup -y FILE.blend --python benchmarks/panel_picture.py -- EXTENSION.zip OUT.png

FILE.blend has KMM's character and a control rig named "rig". Needs ImageMagick's `import` on X11. Run it with
BLENDER_USER_RESOURCES of its own: it installs the extension.
"""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import traceback
from collections.abc import Callable

import bpy

PACKAGE = "bl_ext.user_default.kmm"
SETTLE_SECONDS = 3.0


def in_window(step: Callable[[], object]) -> Callable[[], None]:
    def run() -> None:
        try:
            with bpy.context.temp_override(window=bpy.context.window_manager.windows[0]):
                step()
        except Exception:
            traceback.print_exc()
            os._exit(1)

    return run


@in_window
def install() -> None:
    archive = sys.argv[sys.argv.index("--") + 1]
    bpy.ops.extensions.package_install_files(filepath=archive, repo="user_default", enable_on_install=True)
    panel = importlib.import_module(f"{PACKAGE}.retargeting.panel")
    for cls in (panel.VIEW3D_PT_kmm_retarget, panel.VIEW3D_PT_kmm_bone_map):  # open from the start
        bpy.utils.unregister_class(cls)
        cls.bl_options = set()
        bpy.utils.register_class(cls)
    mine = (panel.VIEW3D_PT_kmm_retarget, panel.VIEW3D_PT_kmm_bone_map)
    for cls in list(bpy.types.Panel.__subclasses__()):  # and no other tab and sub-panel beside them
        sidebar = getattr(cls, "is_registered", False) and cls.bl_region_type == "UI"
        other = getattr(cls, "bl_category", "") != "KMM" or hasattr(cls, "bl_parent_id")
        if sidebar and other and cls.bl_space_type == "VIEW_3D" and cls not in mine:
            bpy.utils.unregister_class(cls)
    settings = bpy.context.scene.kmm_retargeting
    settings.source.object = bpy.data.objects["KMM"]
    for obj in bpy.data.objects:
        if obj.type == "ARMATURE" and obj.visible_get() and obj.name != "KMM":
            settings.targets.add().object = obj
    settings.index = next(i for i, rig in enumerate(settings.targets) if rig.object.name == "rig")
    bpy.ops.kmm.retarget()
    bpy.context.scene.frame_set(20)
    area = view()
    area.spaces[0].show_region_ui = True
    area.spaces[0].overlay.show_bones = False
    bpy.app.timers.register(show, first_interval=SETTLE_SECONDS)


@in_window
def show() -> None:
    area = view()
    window = next(r for r in area.regions if r.type == "WINDOW")
    with bpy.context.temp_override(area=area, region=window):
        bpy.ops.view3d.view_axis(type="FRONT")
        bpy.ops.view3d.view_orbit(angle=0.35, type="ORBITLEFT")
        bpy.ops.view3d.view_all()
    bpy.app.timers.register(shoot, first_interval=SETTLE_SECONDS)


@in_window
def shoot() -> None:
    out = sys.argv[sys.argv.index("--") + 2]
    area, window = view(), bpy.context.window
    crop = f"{area.width}x{area.height}+{area.x}+{window.height - area.y - area.height}"
    subprocess.run(
        ["import", "-window", "root", "-crop", crop, "+repage", "+dither", f"png8:{out}"], check=True
    )
    os._exit(0)


def view() -> bpy.types.Area:
    return next(a for a in bpy.context.window_manager.windows[0].screen.areas if a.type == "VIEW_3D")


bpy.context.preferences.view.show_splash = False
bpy.app.timers.register(install, first_interval=SETTLE_SECONDS)
