"""One armature and one motion: the keys of it, the action that is worn while they come, and how all was before."""

from __future__ import annotations

from contextlib import suppress

import bpy
import numpy as np
from kmm.clip import Clip
from numpy.typing import NDArray

from . import action_api, bone_modes, keeping, kept_keys, reading
from .keying import Kept, Keyer, Removed, Thinned
from .performer import Make
from .request import Base, Request, UserError
from .snapshot import Snapshot
from .takes import Channels

LIVE_KEYS = 4500  #: of a curve; to copy an action of more takes Blender longer than a redraw may


class Performance:
    """Makes room for the keys at once; `append`, `write` and `put_on` bring the motion onto the armature.

    Whenever keys were written into an action that is worn, Blender (from 4.3 on) copies all of it, which takes too
    long with those of many minutes. So while a long motion comes, the armature wears every few of its keys in an
    action of their own (`keying.Thinned`). When all is there (`complete`), the whole action is written while it is
    not worn, and then takes that one's place, which costs one such copy, and Blender's undo step about as much again.

    Whatever follows the making raises Removed where action or armature is gone.
    """

    def __init__(
        self,
        scene: bpy.types.Scene,
        obj: bpy.types.Object,
        make: Make,
        request: Request,
        name: str,
        base: Base | None,
    ) -> None:
        """name, base: of the new action. Raises UserError."""
        self._object_uid = obj.session_uid
        self._snapshot = Snapshot(scene, obj)
        self._make, self._performer = make, make(obj)
        self._made = request.made
        #: For each run of made frames in an old action, the values of the frame before it.
        self._before: dict[int, NDArray[np.float64]] = {}
        channels, kept = self._performer.channels, None
        if base is None:
            action = action_api.new_action(name, obj.name)
        else:
            source = action_api.find_action(base.action_uid)
            if source is None:
                raise UserError("The action to change is gone; generate the storyboard again")
            action = action_api.copy_action(source, name)
            kept = Kept(base.action_uid, base.slot, base.stretches)
            if base.shift:
                keyed = {(c.data_path, c.index) for c in channels}
                for curve in action_api.curves(action, base.slot):
                    if (curve.data_path, curve.array_index) not in keyed:
                        kept_keys.move(curve, base.shift)
            if request.made is not None:
                self._before = reading.before_runs(
                    obj, source, channels, request.made, request.first_frame, base.stretches
                )
        action.use_fake_user = False  # until it is kept
        self._slot = base.slot if base is not None else ""
        self._channels = Channels(self._performer, self._made, self._before)
        self._whole = Keyer(action, channels, request.first_frame, request.frames, request.made, kept)
        self._live = Thinned(self._whole, LIVE_KEYS) if self._whole.points > LIVE_KEYS else None
        self._complete = False
        self._worn: int | None = None  # the session_uid of the action that was put on the armature
        self.shown = 0  #: frames of the motion that the armature has shown

    @property
    def length(self) -> int:
        """Frames to key."""
        return self._whole.length

    @property
    def received(self) -> int:
        """Frames that came."""
        return self._whole.received

    @property
    def keyer(self) -> Keyer:
        """What is being written."""
        return self._whole if self._live is None or self._complete else self._live

    def action(self) -> bpy.types.Action:
        """The one with the whole motion, in the end."""
        return self._whole.action()

    def object(self) -> bpy.types.Object:
        obj = next((o for o in bpy.data.objects if o.session_uid == self._object_uid), None)
        # the scene's settings keep an object that was deleted in the view
        if obj is None or not obj.users_scene:
            raise Removed
        return obj

    def append(self, clip: Clip) -> None:
        """Take the next stretch of the motion."""
        self._whole.append(self._channels(clip))

    def replace(self, clip: Clip) -> None:
        """Take the whole motion anew. Raises UserError."""
        obj = self.object()
        bone_modes.use(obj, self._performer.modes)  # the user may have chosen others since
        self._performer = self._make(obj)
        self._whole.replace(Channels(self._performer, self._made, self._before)(clip))

    def complete(self) -> None:
        """All has come: from now on the whole is written."""
        self._complete = True

    def forget(self) -> None:
        """Nothing of what came is wanted."""
        self._whole.forget()

    def write(self, budget: float) -> bool:
        """Write what is not yet written, for at most about `budget` seconds; True when nothing is left."""
        return self.keyer.write(budget)

    def put_on(self) -> None:
        """Let the armature show what is written; if the user has given it another action meanwhile, it keeps that."""
        obj, keyer = self.object(), self.keyer
        action_api.leave_tweak_mode(obj)  # it is waited for, but where the user ends all this
        action, worn = keyer.action(), _worn_by(obj)
        if self._worn == worn == action.session_uid:
            obj.update_tag(refresh={"TIME"})
        else:
            if self._worn is None or worn in self._own():
                action_api.assign(obj, action, self._slot)
                self._performer.prepare(obj)
                bone_modes.use(obj, self._performer.modes)
            self._worn = action.session_uid
        self.shown = keyer.reached

    def finish(self) -> None:
        """All is written and shown."""
        if self._live is None:
            self._whole.tag()
        self._remove_live()

    def keep(self) -> None:
        """Let it stay in the file when another motion takes its place."""
        self.action().use_fake_user = True

    def to_strip(self) -> None:
        """Move the motion from the armature to a strip of its NLA, and put back what the armature had before."""
        keeping.to_strip(self.object(), self.action(), *self._snapshot.worn())

    def end(self) -> None:
        """Nothing more comes: keep what came, and only keys that hold a pose."""
        self.complete()
        try:
            self.keep()
            self._whole.trim()
            self.put_on()
        finally:
            self._remove_live()

    def discard(self) -> None:
        """Leave the armature as it was, and no action."""
        if self._worn is not None:
            self._snapshot.restore()
        self._remove_live()
        with suppress(Removed):
            bpy.data.actions.remove(self.action())

    def before_save(self) -> None:
        """Leave only keys that hold a pose, in one action; `write` and `put_on` make all as it was."""
        self._whole.trim()
        if self._live is not None and self._worn == self._live.action().session_uid:
            obj = self.object()
            if _worn_by(obj) == self._worn:
                action_api.assign(obj, self.action(), self._slot)
            self._worn = self.action().session_uid
            self._live.action().use_fake_user = False  # and nothing without a user gets into a file

    def invalidate(self) -> None:
        """Undo may have taken back keys that were written since."""
        self._whole.invalidate()
        if self._live is not None:
            self._live.invalidate()

    def _own(self) -> set[int]:
        """The session_uids of what is put on the armature."""
        return {keyer.action_uid for keyer in (self._whole, self._live) if keyer is not None}

    def _remove_live(self) -> None:
        if self._live is not None:  # and stays known: undo may give it back
            with suppress(Removed):
                bpy.data.actions.remove(self._live.action())


def _worn_by(obj: bpy.types.Object) -> int | None:
    """The session_uid of the action that the armature has."""
    action = obj.animation_data.action if obj.animation_data is not None else None
    return action.session_uid if action is not None else None
