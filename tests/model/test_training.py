"""Training: masking by key frames, examples that say what they show, and a loop that resumes to the same result."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from kmm import formats
from kmm.data.examples import build_captions
from kmm.data.records import Caption, Recording
from kmm.model import features as ft
from kmm.model.generator import GIVEN, PADDING, SEGMENT, Generator, GeneratorConfig
from kmm.model.keyframes import gamma, key_frames
from kmm.model.pipeline import Pipeline
from kmm.model.text import TextEncoder
from kmm.model.tokenizer import Tokenizer, TokenizerConfig
from kmm.training import loop, run
from kmm.training.generator import (
    GUIDED,
    GeneratorStage,
    GuidanceStage,
    Objective,
    choose_masked,
    corrupt,
    hide,
    layer_shares,
)
from kmm.training.recipe import load_recipe
from kmm.training.segments import AFTER, BEFORE, NEW, Examples, Segments
from kmm.training.store import Store
from kmm.training.token_bank import TokenBank
from kmm.training.tokenizer import LONG, SHORT, UPPER, DecoderStage, TokenizerStage, exchange

from ..light.motions import walk
from .small import Block

SMALL = TokenizerConfig(width=32, half_width=24, full_width=16, code_dim=8, codes=16)


def recordings() -> list[Recording]:
    def one(name: str, turn: float, text: str) -> Recording:
        clip = walk(240, turn=turn)
        return Recording("test", name, name, "train", clip, (Caption(text, 0, 240, "file-name"),), True)

    return [
        one("left", 0.6, "a person walks and turns left"),
        one("right", -0.6, "a person walks and turns right"),
        one("straight", 0.0, "a person walks"),
    ]


def dice(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def store() -> Store:
    return Store.build(recordings())


def tokenizer_stage(store: Store) -> TokenizerStage:
    torch.manual_seed(0)
    tokenizer = Tokenizer(SMALL)
    mean, std = store.normalization()
    tokenizer.mean.copy_(torch.from_numpy(mean))
    tokenizer.std.copy_(torch.from_numpy(std))
    return TokenizerStage(tokenizer, store, store, batch=8)


def test_a_resumed_run_ends_where_an_unbroken_one_does(store: Store, tmp_path: Path) -> None:
    whole = loop.LoopConfig(steps=8, validate_every=4, warmup=2)
    unbroken = loop.run(tokenizer_stage(store), whole, tmp_path / "unbroken")

    class Killed(Exception):
        pass

    stage = tokenizer_stage(store)
    real, count = stage.loss, 0

    def dies_in_step_six(rng: np.random.Generator) -> object:
        nonlocal count
        count += 1
        if count == 6:
            raise Killed
        return real(rng)

    stage.loss = dies_in_step_six  # type: ignore[method-assign, assignment]
    with pytest.raises(Killed):
        loop.run(stage, whole, tmp_path / "broken")
    resumed = loop.run(tokenizer_stage(store), whole, tmp_path / "broken")
    for (name, a), b in zip(unbroken.state_dict().items(), resumed.state_dict().values(), strict=True):
        torch.testing.assert_close(a, b, msg=name)
    assert (tmp_path / "broken" / "tokenizer.png").stat().st_size > 0


def spoilt_at(
    stage: TokenizerStage, step: int, spoil: Callable[[torch.Tensor], torch.Tensor]
) -> TokenizerStage:
    real, count = stage.loss, 0

    def loss(rng: np.random.Generator) -> tuple[torch.Tensor, dict[str, float]]:
        nonlocal count
        count += 1
        value, figures = real(rng)
        return (spoil(value) if count == step else value), figures

    stage.loss = loss  # type: ignore[method-assign]
    return stage


@pytest.mark.parametrize(
    "spoil",
    [
        lambda loss: loss * torch.nan,
        lambda loss: loss / 0,
        lambda loss: loss + (0 * loss).sqrt(),  # a finite loss, whose gradient is none
    ],
    ids=["no number", "infinite", "gradient"],
)
@pytest.mark.parametrize("step", [6, 8])
def test_training_stops_where_there_are_no_numbers_any_more_and_keeps_what_was_before(
    store: Store, tmp_path: Path, spoil: Callable[[torch.Tensor], torch.Tensor], step: int
) -> None:
    config = loop.LoopConfig(steps=8, validate_every=4, warmup=2)
    with pytest.raises(ValueError, match=r"tokenizer.*not finite.*learning_rate.*step 4 is kept"):
        loop.run(spoilt_at(tokenizer_stage(store), step, spoil), config, tmp_path)
    state = torch.load(tmp_path / "tokenizer.ckpt", weights_only=True)
    assert state["step"] == 4 and all(v.isfinite().all() for v in state["module"].values())
    assert len((tmp_path / "tokenizer.jsonl").read_text().splitlines()) == 1


def test_training_that_never_had_numbers_writes_nothing(store: Store, tmp_path: Path) -> None:
    stage = spoilt_at(tokenizer_stage(store), 1, lambda loss: loss * torch.nan)
    with pytest.raises(ValueError, match=r"not finite.*Nothing was written"):
        loop.run(stage, loop.LoopConfig(steps=4, validate_every=4), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_never_varies_is_divided_by_something() -> None:
    still = walk(120)
    still = replace(
        still,
        translation=np.broadcast_to(still.translation[0], (120, 3)),
        rotations=np.broadcast_to(still.rotations[0], (120, 22, 4)),
    )
    store = Store.build([Recording("test", "still", "still", "train", still)])
    mean, std = store.normalization()
    assert np.isfinite(mean).all() and (std > 1e-3).all()
    loss, _ = tokenizer_stage(store).loss(np.random.default_rng(0))
    assert torch.isfinite(loss)


def test_the_tokenizer_learns(store: Store, tmp_path: Path) -> None:
    stage = tokenizer_stage(store)
    before = stage.validate(stage.module.eval())
    config = loop.LoopConfig(steps=300, learning_rate=2e-3, validate_every=300, warmup=10)
    after = stage.validate(loop.run(stage, config, tmp_path))
    assert after["joint_error_mm"] < 0.5 * before["joint_error_mm"]


def test_the_decoder_learns_more_and_the_tokens_stay(store: Store, tmp_path: Path) -> None:
    module = tokenizer_stage(store).module
    assert isinstance(module, Tokenizer)
    windows = torch.from_numpy(store.windows(np.random.default_rng(0), 8, LONG))
    tokens = module.eval().encode(windows)
    stage = DecoderStage(module, store, store, 4)
    with torch.no_grad():
        before = stage.loss(np.random.default_rng(0))[0]
    trained = loop.run(
        stage, loop.LoopConfig(steps=30, learning_rate=2e-3, validate_every=30, warmup=5), tmp_path
    )
    assert isinstance(trained, Tokenizer)
    assert torch.equal(trained.encode(windows), tokens)
    with torch.no_grad():
        assert stage.loss(np.random.default_rng(0))[0] < 0.95 * before


def test_upper_bodies_are_exchanged_whole_and_legs_stay(store: Store) -> None:
    windows = store.windows(np.random.default_rng(0), 40, SHORT)
    got = exchange(windows, np.random.default_rng(1))
    lower = np.setdiff1d(np.arange(windows.shape[-1]), UPPER)
    np.testing.assert_array_equal(got[..., lower], windows[..., lower])
    own = (got[..., UPPER] == windows[..., UPPER]).all((1, 2))
    others = (got[..., UPPER] == np.roll(windows, 1, axis=0)[..., UPPER]).all((1, 2))
    assert (own | others).all() and 0 < np.sum(~own) < 20


def test_the_store_leaves_out_first_frames_and_mirrors_half(store: Store) -> None:
    assert store.length.tolist() == [239, 239, 239]
    turns = store.windows(np.random.default_rng(0), 400, 32)[..., 0].mean(1)
    left, right = (np.sum(np.sign(turns) * (np.abs(turns) > 0.01) == s) for s in (1, -1))
    assert abs(left - right) < 80 and left + right > 200


@pytest.fixture(scope="module")
def segments(store: Store) -> Segments:
    torch.manual_seed(0)
    encoder = TextEncoder()
    examples = Examples.of(build_captions(recordings(), 4), encoder)
    return Segments(examples, TokenBank.encode(Tokenizer(SMALL), store), encoder)


def test_examples_show_a_window_of_a_segment_and_what_is_around_it(segments: Segments) -> None:
    batch = segments.draw(dice(), 64)
    role = batch.layout.role
    for row in range(64):
        at = (role[row] == SEGMENT).nonzero().flatten()
        assert 1 <= len(at) <= NEW and (at.diff() == 1).all()
        valid = int((role[row] != PADDING).sum())
        assert (role[row, valid:] == PADDING).all()
        assert at[0] <= BEFORE and valid - 1 - at[-1] <= AFTER
        length = batch.layout.since_start[row] + batch.layout.to_end[row]
        assert len(set(length[:valid].tolist())) == 1  # one segment, one length
        assert (batch.layout.since_start[row, at] >= 0).all() and (batch.layout.to_end[row, at] >= 0).all()
    assert (role == GIVEN).any()
    assert batch.same.diagonal().all()


def test_a_mirrored_clip_has_a_mirrored_text(segments: Segments) -> None:
    e, read = segments.examples, segments.encoder.model.tokenizer.decode
    for first, count in zip(e.text.tolist(), e.texts.tolist(), strict=True):
        plain, mirrored = (
            [read(e.pieces[row].tolist()) for row in e.wording[low : low + count]]
            for low in (first, first + count)
        )
        for a, b in zip(plain, mirrored, strict=True):
            assert ("left" in a) == ("right" in b) and ("right" in a) == ("left" in b)


def test_tokens_begin_at_their_variants_frame(store: Store) -> None:
    torch.manual_seed(0)
    tokenizer = Tokenizer(SMALL)
    for phases in (1, 2, 4):
        bank = TokenBank.encode(tokenizer, store, phases)
        assert bank.phase.shape == (3, 2 * phases) and len(bank.tokens) == bank.count.sum()
        for clip, variant in np.ndindex(*bank.phase.shape):
            motion = store.clip(clip)[bank.phase[clip, variant] :]
            motion = motion[: len(motion) // 4 * 4]
            if variant >= phases:
                motion = ft.mirror(motion)
            low, count = int(bank.first[clip, variant]), int(bank.count[clip, variant])
            expected = tokenizer.encode(torch.from_numpy(motion)[None])[0]
            assert (bank.tokens[low : low + count] == expected).all()


def test_what_is_trained_on_can_be_kept(segments: Segments, tmp_path: Path) -> None:
    segments.save(tmp_path / "segments.safetensors")
    again = Segments.load(tmp_path / "segments.safetensors", segments.encoder)
    one, other = segments.draw(dice(3), 16), again.draw(dice(3), 16)
    assert torch.equal(one.tokens, other.tokens) and torch.equal(one.text, other.text)


def test_key_frame_masking_masks_the_key_frames_of_the_segment() -> None:
    latents = torch.zeros(3, 24, 4)
    latents[..., 0] = torch.linspace(0, 0.5, 24)
    latents[:, 12:14, 1] = 3.0
    segment = torch.zeros(3, 24, dtype=torch.bool)
    segment[:, 4:20] = True
    # the two density peaks: the middle of the steady motion and the odd pose
    peaks = key_frames(gamma(latents, segment), torch.full((3,), 2))
    assert peaks[0, 12] != peaks[0, 13] and peaks[0, 4:12].any()
    for seed in range(40):
        masked = choose_masked(latents, segment, dice(seed), Objective(key_frames=1.0))
        count = masked.sum(-1)
        assert (count >= 1).all() and not masked[~segment].any()
        assert masked[count >= 2][peaks[count >= 2]].all()


def test_corrupted_tokens_are_shown_wrong_and_restored_padding_never() -> None:
    tokens = torch.full((4, 30), 5)
    masked = torch.zeros(4, 30, dtype=torch.bool)
    masked[:, :3] = True
    valid = torch.ones(4, 30, dtype=torch.bool)
    valid[:, 20:] = False
    shown, restore = corrupt(tokens, masked, valid, 512, dice())
    assert (shown[masked] == 512).all() and (restore | (shown == tokens)).all()
    assert not restore[~valid].any() and restore[:, 3:20].any()


def test_of_a_residual_layer_a_share_of_the_segment_is_hidden_and_of_given_tokens_nothing() -> None:
    rng = np.random.default_rng(0)
    tokens = torch.from_numpy(rng.integers(0, 16, (200, 30, 6)))
    segment = torch.zeros(200, 30, dtype=torch.bool)
    segment[:, 5:] = True
    seen, hidden = hide(tokens, segment, 2, 16, dice())
    assert ((seen[..., 2] == 16) == hidden).all() and not hidden[:, :5].any()
    assert (seen[..., [0, 1, 3, 4, 5]] < 16).all()
    assert 0.02 < (seen != tokens)[:, :5].float().mean() < 0.08
    share = hidden[:, 5:].float().mean(-1)
    assert 0.3 < (share == 1).float().mean() < 0.6 and share.min() < 0.2


def test_of_the_shortest_segment_something_is_hidden_every_time() -> None:
    segment = torch.ones(500, 1, dtype=torch.bool)
    assert hide(torch.zeros(500, 1, 6, dtype=torch.long), segment, 1, 16, dice())[1].all()


def test_coarse_layers_are_trained_more_often() -> None:
    shares = layer_shares(6)
    assert len(shares) == 5 and np.isclose(shares.sum(), 1) and (np.diff(shares) < 0).all()


def test_the_generator_learns_to_tell_left_from_right(segments: Segments, tmp_path: Path) -> None:
    torch.manual_seed(0)
    module = Generator(GeneratorConfig(width=64, depth=2, residual_depth=1, codes=16, code_dim=8))
    module.codebooks.normal_()
    stage = GeneratorStage(module, segments, segments, batch=16)
    before = stage.validate(module)
    config = loop.LoopConfig(steps=60, learning_rate=3e-3, validate_every=60, warmup=10, ema=0.9)
    after = stage.validate(loop.run(stage, config, tmp_path))
    for key in ("tokens", "residual", "alignment"):
        assert after[key] < before[key]


def test_one_evaluation_learns_what_guidance_makes_of_two(segments: Segments, tmp_path: Path) -> None:
    torch.manual_seed(0)
    module = Generator(GeneratorConfig(width=64, depth=2, residual_depth=1, codes=16, code_dim=8))
    module.codebooks.normal_()
    config = loop.LoopConfig(steps=60, learning_rate=3e-3, validate_every=60, warmup=10)
    trained = loop.run(GeneratorStage(module, segments, segments, batch=16), config, tmp_path)
    stage = GuidanceStage(trained, segments, segments, batch=16)
    batch = segments.draw(dice(), 32)
    shown = torch.full_like(batch.tokens[..., 0], module.mask_token)
    scale, drop = torch.full((32,), 4.0), torch.zeros(32, dtype=torch.bool)
    wanted = stage._taught(batch, shown, drop, scale)

    @torch.no_grad()
    def off(student: Generator) -> float:
        """Mean distance of its answers from the guided ones."""
        text, mask = student.read_text(batch.text, batch.text_mask)
        told = student.logits(student.emphasised(text, scale), mask, shown, batch.layout).softmax(-1)
        return float((told - wanted).abs().sum(-1)[batch.layout.role == SEGMENT].mean())

    before = off(trained)
    config = loop.LoopConfig(steps=120, learning_rate=3e-3, validate_every=120)
    after = off(loop.run(stage, config, tmp_path))
    assert after < 0.6 * before
    assert stage.module.config.guided == GUIDED and (tmp_path / "guidance.ckpt").exists()


RECIPE = """
licence = "test"
[tokenizer]
batch = 4
steps = 2
[generator]
batch = 4
steps = 2
size = { width = 64, depth = 2, residual_depth = 1 }
[guidance]
batch = 4
steps = 2
[decoder]
joined = 2
batch = 4
steps = 2
"""


def test_from_a_folder_of_amass_files_to_weights_that_generate(tmp_path: Path) -> None:
    rows = []
    for name, split, turn in (("a", "train", 0.5), ("b", "train", 0.0), ("c", "val", -0.5)):
        formats.save(walk(240, turn=turn), tmp_path / f"{name}.npz")
        rows.append({"file": f"{name}.npz", "split": split, "texts": [{"text": "a person walks"}]})
    (tmp_path / "captions.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (tmp_path / "recipe.toml").write_text(RECIPE)
    recipe = load_recipe(str(tmp_path / "recipe.toml"))
    run.train(recipe, tmp_path, tmp_path / "runs", tmp_path / "out")
    pipeline = Pipeline.load(str(tmp_path / "out"), "cpu")
    assert pipeline.generator.config.guided == GUIDED
    assert pipeline.licence == "test" and len(pipeline.clip([Block("a person walks", 50)])) == 50
    with pytest.raises(ValueError, match="no motion for the split 'train'"):
        run.recordings(msgspec.structs.replace(recipe, commercial_only=True), tmp_path)
