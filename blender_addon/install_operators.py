"""`Install Engine...`: the dialogue, the run that it starts, and how that is shown."""

from __future__ import annotations

import atexit
import time
from pathlib import Path

import bpy
from bpy.app.translations import pgettext_rpt as _
from bpy.props import StringProperty

from . import preferences, stream
from .engine import user_folder
from .installing import TARGET, CannotInstall, Installation
from .panel import paragraph

TICK_SECONDS = 0.2  #: between two looks at what the installer does

installation: Installation | None = None  #: that runs, or the last one if it failed


class KMM_OT_install_engine(bpy.types.Operator):
    """Install the engine into an environment of its own, from a wheel or a folder. From a script: wait \
until it is there"""

    bl_idname = "kmm.install_engine"
    bl_label = "Install Engine..."

    source: StringProperty(
        name="From",
        description="A wheel of kmm, a folder with its wheels, or the project's own folder. What it needs besides is "
        "downloaded if online access is allowed",
        subtype="FILE_PATH",
    )
    target: StringProperty(
        name="Into",
        description="Folder of the new environment",
        default=str(TARGET),
        subtype="DIR_PATH",
    )
    python: StringProperty(
        name="Python",
        description="Python 3.11 or later to make the environment with. Empty: Blender's own, or one that is found",
        subtype="FILE_PATH",
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if running():
            cls.poll_message_set(_("The engine is being installed"))
            return False
        return True

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        self._waits = False
        return context.window_manager.invoke_props_dialog(self, width=600, confirm_text="Install")

    def draw(self, context: bpy.types.Context) -> None:
        column = self.layout.column()
        column.use_property_split = True
        column.prop(self, "source", placeholder="kmm-...whl, or a folder")
        column.prop(self, "target")
        column.prop(self, "python", placeholder="Found by itself")
        if not bpy.app.online_access:
            column.label(
                text="Online access is off (Preferences > System): all wheels must be in the folder",
                icon="INFO",
            )

    def execute(self, context: bpy.types.Context) -> set[str]:
        global installation
        try:
            log = user_folder() / "install.log"
            paths = (self.target or str(TARGET), self.python)
            target, python = (bpy.path.abspath(p) for p in paths)
            source = bpy.path.abspath(self.source)
            installation = Installation(source, bpy.app.online_access, log, Path(target), python)
        except (CannotInstall, OSError) as error:
            self.report({"ERROR"}, _(str(error)))
            return {"CANCELLED"}
        if not getattr(self, "_waits", True):
            bpy.app.timers.register(tick, persistent=True)
            return {"FINISHED"}
        running_one = installation
        try:
            while not running_one.ended:
                running_one.poll()
                time.sleep(0.05)
        finally:
            running_one.close()
        take_up(context)
        self.report({"INFO" if running_one.succeeded else "ERROR"}, running_one.message)
        return {"FINISHED" if running_one.succeeded else "CANCELLED"}


class KMM_OT_cancel_install(bpy.types.Operator):
    """End the installation; what is there stays, and the next one goes on from it"""

    bl_idname = "kmm.cancel_install"
    bl_label = "Cancel Installation"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return running()

    def execute(self, context: bpy.types.Context) -> set[str]:
        installation.cancel()
        return {"FINISHED"}


def running() -> bool:
    return installation is not None and not installation.ended


def tick() -> float | None:
    """Look after the installation; the seconds until the next look."""
    if installation is None:
        return None
    installation.poll()
    stream.redraw("PREFERENCES", "VIEW_3D")
    if not installation.ended:
        return TICK_SECONDS
    message, failed = installation.message, not installation.succeeded
    take_up(bpy.context)
    stream.report(message, failed)
    return None


def take_up(context: bpy.types.Context) -> None:
    """Use what was installed; a failure stays to be read."""
    global installation
    if installation is not None and installation.succeeded:
        preferences.choose(context, python=str(installation.python))
        installation = None


def draw(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """How far it is, or why it failed."""
    column = layout.column(align=True)
    if running():
        column.progress(factor=installation.progress, text=_(installation.message))
        column.label(text=installation.detail, translate=False)
        column.operator("kmm.cancel_install", icon="CANCEL")
    else:
        paragraph(column, context, installation.message, "ERROR")
        column.separator()
        column.operator("wm.path_open", text="Open Log", icon="FILE_TEXT").filepath = str(installation.log)
        column.operator("kmm.install_engine", icon="IMPORT")


_register, _unregister = bpy.utils.register_classes_factory((KMM_OT_install_engine, KMM_OT_cancel_install))


def register() -> None:
    _register()
    atexit.register(close)


def close() -> None:
    """End it, for the end of Blender or of the add-on."""
    global installation
    if installation is not None:
        installation.close()
    installation = None


def unregister() -> None:
    if bpy.app.timers.is_registered(tick):
        bpy.app.timers.unregister(tick)
    close()
    atexit.unregister(close)
    _unregister()
