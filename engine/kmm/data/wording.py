"""Words for actions: many wordings for each kind, merged with a style, and left and right exchanged in a text."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from kmm.data.actions import Action
from kmm.data.grammar import conjugate, expand, pick, sentence

WALK = {
    "": "[{walk}|{walk}|{walk}|{walk}|{stroll}|{stride}|{go} on foot|{pace}|{move} at a walk]",
    "slow": "[slowly {walk}|{walk} slowly|{walk} slowly|{stroll} slowly|{walk} at a slow pace|{amble}|"
    "{walk} in a slow, relaxed manner|{take} slow steps|{wander} slowly]",
    "fast": "[{walk} fast|{walk} quickly|quickly {walk}|{walk} briskly|briskly {walk}|{stride} quickly|"
    "{walk} at a fast pace|{hurry}|{walk} at speed|{march} briskly]",
}
RUN = {
    "": "[{run}|{run}|{run}|{run}|{jog}|{jog}|{go} at a run|{trot}]",
    "slow": "[{jog}|{jog}|{jog} slowly|{run} slowly|{trot}|{jog} at an easy pace|slowly {run}|{run} at a slow pace]",
    "fast": "[{run} fast|{sprint}|{sprint}|{run} quickly|quickly {run}|{dash}|{run} at full speed|{race}|{rush}]",
}
FORWARD = (
    "[forward|forward|forwards|ahead|straight ahead|straight forward|in a straight line|onward|straight on|]"
)
BACKWARD = "[backward|backwards|backward|backwards|in reverse|back|rearward|backwards in a straight line]"
LEFT_SIDEWAYS = "[sideways to the left|to the left sideways|to <their> left side|leftward|leftwards|sideways left|" \
    "sideways to <their> left]"  # fmt: skip
LEFT = "[left|to the left|to <their> left|leftward|leftwards|toward the left|towards the left]"
COUNTERCLOCKWISE = "[counterclockwise|counter-clockwise|anticlockwise|counter clockwise]"

#: Wordings by kind, for the left side where there are sides. `*` is replaced by walking or running words.
TEMPLATES: dict[str, str] = {
    "stand": "[{stand} still|{stand}|{stand} in place|{stay} still|{remain} standing|{wait} in place|{stand} idle|"
    "{stand} motionless|{do} not move|{pause} and {stand} still|{stay} where <their> feet are|{keep} still]",
    "walk_in_place": "[{walk} in place|{walk} on the spot|{step} in place|{march} on the spot|{march} in place]",
    "forward": "* " + FORWARD,
    "backward": "[* " + BACKWARD + "|{move} backward at a @|{back} up|{back} away]",
    "left": "[* " + LEFT_SIDEWAYS + "|* " + LEFT_SIDEWAYS + "|{sidestep} to the left|{side-step} left|{step} sideways to "
    "the left|{move} sideways to the left|{shuffle} sideways to the left]",
    "diagonal_left": "* [diagonally forward to the left|diagonally to the left|diagonally left|forward and to the left|"
    "forward at an angle to the left|diagonally toward the left]",
    "curve_left": "* [forward and curve slightly to the left|in a gentle curve to the left|in a slight left curve|"
    "forward, veering to the left|along a curve to the left|forward, bearing left|, drifting to the left|"
    "forward in an arc to the left]",
    "turn_left": "* [and {turn} left|and {turn} to the left|, turning left|, turning to the left|around a corner to "
    "the left|while turning left|while turning to the left|forward and {make} a left turn|in a curve to the left|"
    "and {take} a left turn|and {go} left|forward, turning " + COUNTERCLOCKWISE + "]",
    "turn_back_left": "* [and {turn} around to the left|, turning around to the left|and {make} a u-turn to the left|"
    "and {turn} back over the left side|and {turn} 180 degrees to the left|and {turn} around " + COUNTERCLOCKWISE + "]",
    "halfcircle_left": "* [in a half circle to the left|in a semicircle to the left|in a " + COUNTERCLOCKWISE
    + " half circle|in a wide arc to the left|around in a half circle to the left|in a large curve to the left]",
    "circle_left": "* [in a circle to the left|in a " + COUNTERCLOCKWISE + " circle|" + COUNTERCLOCKWISE + " in a circle|"
    "around in a circle to the left|in a full circle to the left|around in a " + COUNTERCLOCKWISE + " circle|"
    "in a circle " + COUNTERCLOCKWISE + "|a circle to the left]",
    "jump": "[{jump}|{jump} up|{jump} on the spot|{jump} in place|{jump} straight up|{leap} up|{jump} into the air|"
    "{hop} up|{leap} into the air]",
    "jump_forward": "[{jump} forward|{jump} forwards|{leap} forward|{hop} forward|{jump} ahead|{make} a forward jump|"
    "{do} a standing long jump|{jump} forward with both feet]",
    "jump_backward": "[{jump} backward|{jump} backwards|{hop} backwards|{leap} back|{jump} back]",
    "jump_left": "[{jump} to the left|{jump} sideways to the left|{hop} left|{leap} to the left|{jump} left]",
    "jump_turn_left": "[{jump} and {turn} # left|{jump} and {spin} # left|{jump}, turning # left in the air|"
    "{do} a jump with a turn # left|{leap} and {turn} # left]",
    "squat": "[{squat}|{squat} down and {stand} up|{do} a squat|{squat} down and {get} up again|{bend} <their> knees "
    "deeply and {stand} back up|{perform} a squat|{lower} into a squat and {rise}|{do} a deep knee bend]",
    "crouch_down": "[{crouch}|{crouch} down|{duck} down|{lower} into a crouch|{bend} <their> knees and {crouch}|"
    "{squat} down|{drop} into a crouch|{get} down low]",
    "crouch": "[{stay} crouched|{crouch}|{stay} in a crouch|{remain} crouching|{hold} a crouch|{squat}|"
    "{hold} a low stance with bent knees]",
    "up_from_crouch": "[{stand} up|{stand} up from a crouch|{rise} from a crouch|{get} up|{straighten} up|"
    "{rise} to <their> feet|{stand} back up]",
    "kneel_down": "[{kneel}|{kneel} down|{get} down on <their> knees|{go} down on one knee|{drop} to <their> knees|"
    "{lower} onto <their> knees]",
    "kneel": "[{kneel}|{kneel} on the floor|{stay} kneeling|{remain} on <their> knees|{kneel} on the ground]",
    "up_from_kneel": "[{stand} up|{get} up from <their> knees|{rise} from kneeling|{get} up|{stand} up from a kneeling "
    "position|{rise} to <their> feet]",
    "sit_down": "[{sit} down|{sit} down|{take} a seat|{sit} down on a chair|{lower} onto a seat|{have} a seat|"
    "{sit} down on something|{move} from standing to sitting]",
    "sit": "[{sit}|{sit} still|{stay} seated|{sit} on a chair|{remain} seated|{be} seated|{sit} on a seat]",
    "up_from_sit": "[{stand} up|{get} up|{stand} up from a chair|{rise} from a seat|{get} up from sitting|"
    "{get} to <their> feet|{stand} up from sitting|{rise} from a chair]",
    "lie_down": "[{lie} down|{lie} down on the floor|{lie} down on the ground|{get} down and {lie} on the floor|"
    "{lower} to the floor and {lie} down|{go} from standing to lying]",
    "lie": "[{lie} on the floor|{lie} on the ground|{stay} lying down|{lie} still|{lie} flat|{remain} lying]",
    "up_from_lie": "[{get} up from the floor|{stand} up from the ground|{get} up|{stand} up|{rise} from the floor|"
    "{get} up from lying down]",
    "bow": "[{bow}|{bow}|{take} a bow|{bend} forward|{bow} politely|{lean} forward and {come} back up|"
    "{bend} forward at the waist|{bow} forward|{make} a bow]",
    "bend_down": "[{bend} down|{bend} over|{bend} down and {stand} back up|{bend} over and {straighten} up|{lean} down|"
    "{stoop}|{stoop} down and {rise} again|{reach} down toward the floor|{bend} down toward the ground]",
    "raise_left": "[{raise} <their> left arm|{raise} <their> left hand|{lift} <their> left arm|{lift} <their> left hand|"
    "{lift} <their> left arm up|{put} <their> left hand up|{put} <their> left arm up|{raise} the left arm overhead|"
    "{hold} up <their> left hand|{bring} <their> left arm up]",
    "raise_both": "[{raise} both arms|{raise} both hands|{lift} both arms|{lift} <their> arms|{put} <their> hands up|"
    "{raise} <their> arms|{put} both hands up in the air|{lift} both hands|{throw} both arms up|{raise} <their> hands|"
    "{bring} both arms up overhead]",
    "raise_lower_left": "[{raise} <their> left arm and {lower} it|{raise} and {lower} <their> left arm|{raise} <their> "
    "left hand and {put} it down again|{lift} <their> left arm up and {bring} it back down|{raise} <their> left hand|"
    "{raise} <their> left arm|{lift} <their> left hand up then down]",
    "raise_lower_both": "[{raise} both arms and {lower} them|{raise} and {lower} both arms|{raise} both hands and {put} "
    "them down again|{lift} <their> arms up and {bring} them back down|{raise} both hands|{raise} <their> arms|"
    "{lift} both hands up then down]",
    "lower_left": "[{lower} <their> left arm|{lower} <their> left hand|{put} <their> left arm down|{bring} <their> left "
    "hand down|{drop} <their> left arm|{let} <their> left arm down|{bring} the left arm back down]",
    "lower_both": "[{lower} both arms|{lower} <their> arms|{put} both hands down|{bring} <their> arms down|{drop} both "
    "arms|{let} both arms down|{bring} both hands back down]",
    "wave_left": "[{wave} <their> left hand|{wave} with <their> left hand|{wave} with the left arm|{wave} <their> left "
    "arm|{raise} <their> left hand and {wave}|{wave} hello with the left hand|{greet} by waving the left hand]",
    "wave_both": "[{wave} both hands|{wave} with both hands|{wave} both arms|{wave} <their> arms|{wave} with both arms|"
    "{raise} both hands and {wave}|{wave} both arms in the air|{wave} <their> hands overhead]",
    "kick_left": "[{kick} with <their> left leg|{kick} with the left foot|{kick} <their> left leg|{do} a kick with the "
    "left leg|{swing} <their> left leg up in a kick|{kick} forward with <their> left foot|{throw} a left kick]",
    "punch_left": "[{punch} with <their> left hand|{punch} with the left fist|{throw} a left punch|{jab} with the left "
    "hand|{throw} a punch with <their> left arm|{strike} forward with <their> left fist]",
}  # fmt: skip

#: Turning on the spot; `#` is the amount and the side.
TURN = "[{turn}|{turn}|{rotate}|{turn} around|{pivot}|{spin}]"
TURN_ON_THE_SPOT = (
    "[{turn} #|{turn} #|{rotate} #|{pivot} #|{turn} # on the spot|{turn} # in place|{turn} <their> body #]"
)
SPIN = "[{spin} #|{turn} #|{rotate} #|{turn} in a circle $|{spin} around $|{turn} all the way around $]"

TIMES = {1: "[once|one time|]", 2: "[twice|two times]", 3: "[three times|3 times]", 4: "[four times|4 times]",
         5: "[five times|5 times]", 6: "[six times|6 times]"}  # fmt: skip

#: Adverbial phrases for the styles of the sets; any other style is "in a ... way".
STYLES: dict[str, str] = {
    "active": "[energetically|in an active way|with a lot of energy|in an energetic way|full of energy]",
    "feminine": "[in a feminine way|like a graceful woman|gracefully, like a woman|in a feminine style]",
    "youthful": "[in a youthful way|like a lively young person|like a young person|in a lively, young way]",
    "masculine": "[in a masculine way|like a manly man|in a manly way|in a masculine style]",
    "masculinity": "[in a masculine way|like a manly man|in a manly way]",
    "exhausted": "[in an exhausted way|, looking exhausted|as if worn out|exhaustedly|, very tired]",
    "tired": "[in a tired way|, looking tired|tiredly|wearily]",
    "elderly": "[like an elderly person|in the way of an old person|like an old person|with an elderly style]",
    "old": "[like an old person|in the way of an elderly person|as an old person would]",
    "angry": "[angrily|in an angry way|in an angry style|, looking angry|with anger]",
    "childish": "[in a childish way|like a child|like a little kid|childishly]",
    "chimpira": "[like a street thug|in a thuggish way|like a gangster]",
    "giant": "[like a giant|with heavy steps like a giant|as if huge and heavy]",
    "happy": "[happily|in a happy way|cheerfully|joyfully]",
    "musical": "[in a musical way|rhythmically|as if to music]",
    "not-confident": "[without confidence|in an unsure way|timidly|shyly]",
    "proud": "[proudly|in a proud way|with pride]",
    "sad": "[sadly|in a sad way|, looking sad|with a sad air]",
    "chicken": "[like a chicken|flapping the arms like a chicken|, imitating a chicken]",
    "drunk": "[as if drunk|in a drunken way|drunkenly|, swaying drunkenly]",
    "in the dark": "[as if in the dark|, feeling the way in the dark|as if unable to see]",
    "karate chop": "[while doing karate chops|with karate chops]",
    "aeroplane": "[with the arms spread like an aeroplane|, pretending to be an aeroplane|like an airplane]",
}

#: What is going on besides, by the set's own action label.
ACTIVITIES: dict[str, str] = {
    "basketball dribble": "while dribbling a [basketball|ball]",
    "sneak": "[stealthily|on tiptoe|sneakily|while sneaking]",
    "salsa dance": "while dancing [salsa|]",
    "ballet dance": "while dancing [ballet|]",
    "indian dance": "while dancing",
    "dance": "while dancing",
    "breakdance": "while breakdancing",
    "boxing": "while boxing",
    "karate kata": "[during a karate routine|while doing karate]",
    "swordplay": "while swinging a sword",
    "balance on one leg": "while balancing",
}  # fmt: skip

GAITS = {"walk": (WALK, "walk"), "run": (RUN, "run")}
SIDE = re.compile(r"(?:^|_)(left|right)(?:$|_)")


def side_of(kind: str) -> str:
    """ "left", "right" or "" for a kind."""
    found = SIDE.search(kind)
    return found[1] if found else ""


def amount_words(degrees: float, side: str) -> str:
    """A template for how far a turn goes and to which side: "90 degrees to the left"; side as in "left"."""
    size = abs(degrees)
    left = LEFT
    around = f"[{left}|{COUNTERCLOCKWISE}|{left}]"
    if size < 62:
        text = f"[slightly {left}|a little {left}|{'45 degrees ' + left if size > 36 else left}|{left}]"
    elif 74 < size < 106:
        text = f"[{left}|{left}|90 degrees {around}|a quarter turn {left}|{left} by 90 degrees|ninety degrees {left}]"
    elif 155 < size < 205:
        text = f"[around {left}|180 degrees {around}|around|half a turn {left}|halfway around {around}|{around} by 180 degrees]"
    elif 250 < size < 290:
        text = f"[270 degrees {around}|three quarters of a turn {left}]"
    elif 330 < size < 390:
        text = f"[360 degrees {around}|in a full circle {around}|all the way around {around}|a full turn {around}]"
    elif size > 200:
        text = f"[around {around}]"
    else:
        text = f"[{left}|{left}|{COUNTERCLOCKWISE}]"
    return swap_left_right(text) if side == "right" else text


def phrase_template(action: Action) -> str:
    """The template of one action, right side included."""
    kind, side = action.kind, side_of(action.kind)
    as_left = re.sub(r"(^|_)right($|_)", r"\1left\2", kind)
    head, _, rest = as_left.partition("_")
    if as_left == "turn_left":
        template = SPIN if abs(action.amount) > 300 else TURN_ON_THE_SPOT
        template = {
            "slow": f"[slowly|] {template} [slowly|]",
            "fast": f"[quickly|] {template}",
            "": template,
        }[action.speed]
    elif head in GAITS and kind != "walk_in_place":
        if rest == "turn_left" and 155 < abs(action.amount) < 215:
            rest = "turn_back_left"
        words, noun = GAITS[head]
        template = TEMPLATES[rest].replace("@", noun)
        if head == "run":  # "back up" and "sidestep" are said of walking
            template = (
                f"* {BACKWARD}"
                if rest == "backward"
                else f"* {LEFT_SIDEWAYS}"
                if rest == "left"
                else template
            )
        template = template.replace("*", words[action.speed])
        if action.count and rest == "forward":
            template = f"[{template}|{{take}} {number(action.count)} steps forward|{{walk}} {number(action.count)} steps]"
    else:
        template = TEMPLATES[as_left]
        if action.count > 1:
            template = f"{template} {TIMES.get(action.count, '[several times|repeatedly|many times]')}"
    if side == "right":
        template = swap_left_right(template)
    template = template.replace("#", amount_words(action.amount, side))
    return template.replace("$", amount_words(120, side))


def number(count: int) -> str:
    return ("no", "one", "two", "three", "four", "five", "six", "seven", "eight")[count]


def phrase(action: Action, rng: np.random.Generator) -> str:
    return expand(phrase_template(action), rng)


def describe(
    actions: Sequence[Action],
    rng: np.random.Generator,
    *,
    meanwhile: Action | None = None,
    style: str | None = None,
    activity: str | None = None,
) -> str:
    """One sentence for actions that follow one another, with a gesture meanwhile and the set's style merged in."""
    phrases = [phrase(a, rng) for a in actions]
    if meanwhile is not None:
        gesture = conjugate(phrase(meanwhile, rng), "gerund")
        phrases[-1] += f" {pick(('while', 'while', 'and at the same time', 'whilst'), rng)} {gesture}"
    ending = (
        STYLES.get(style, f"in a {style} [way|style|manner]") if style else ACTIVITIES.get(activity or "", "")
    )
    if ending and rng.random() < 0.6:
        words = expand(ending, rng)
        phrases[-1] += words if words.startswith(",") else f" {words}"
    return re.sub(r"\s+,", ",", sentence(phrases, rng))


_PAIRS = {"left": "right", "leftward": "rightward", "leftwards": "rightwards", "lefts": "rights",
          "lefthand": "righthand", "leftmost": "rightmost"}  # fmt: skip
_SWAP = {**_PAIRS, **{b: a for a, b in _PAIRS.items()}, "clockwise": "counterclockwise"}
_WORDS = re.compile(
    r"(?<![A-Za-z])(?P<all>all[ -])?"
    r"(?P<word>counter[ -]?clockwise|anti[ -]?clockwise|clockwise|(?:left|right)(?:wards?|s|hand|most)?)(?![A-Za-z])"
    r"(?! (?:away|now|after|before|there|here|angles?)\b)",
    re.IGNORECASE,
)


def swap_left_right(text: str) -> str:
    """The text for the mirrored motion: left and right, clockwise and counterclockwise exchanged, case kept.

    "Right" that is no direction ("all right", "right away", "upright") stays.
    """

    def change(found: re.Match[str]) -> str:
        word = found["word"]
        if found["all"]:
            return found[0]
        low = word.lower()
        other = "clockwise" if low != "clockwise" and low.endswith("clockwise") else _SWAP[low]
        return other.upper() if word.isupper() else other.capitalize() if word[0].isupper() else other

    return _WORDS.sub(change, text)
