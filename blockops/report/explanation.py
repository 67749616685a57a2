"""An explained case in plain sentences, one a line: the same words wherever they are printed."""

from collections.abc import Iterator

from blockops.lab.explaining import DeviceSeen, Explanation, Sent
from blockops.report.tally import counted

_ALSO = {"held": "held", "unknown": "could not be told", "not_exercised": "not exercised"}


def sentences(one: Explanation) -> Iterator[str]:
    """Yield what happened in a case and which laws it broke; an empty line parts the three paragraphs."""
    yield from _story(one)
    yield ""
    for device in one.devices:
        yield _device(device, one.killed)
    yield from _files(one)
    yield ""
    yield from _laws(one)


def _story(one: Explanation) -> Iterator[str]:
    yield f"Management wanted {one.wanted}, by this design: {one.design}."
    yield from _struck(one)
    yield from map(_message, one.sent)
    if not one.sent:
        yield "Management sent no command."
    yield f"Management {one.ending}{': ' if one.failure else ''}{one.failure}."
    if one.killed:
        end = "The power was lost" if one.power_lost else "The hypervisor was killed"
        yield f"{end}; what follows is seen after management's recovery, in a restart on what its books name."


def _struck(one: Explanation) -> Iterator[str]:
    if one.injected == "no-fault":
        yield "Nothing is broken."
    else:
        yield f"The fault, {one.injected}: {one.fault}."
    if one.masked:
        yield (
            "It struck and is masked: no law finds anything, and guest, management, devices and files are as "
            "where nothing breaks."
        )
    for cut in one.survived:
        again = (
            "" if cut.before is None else f"Power was lost again before operation {cut.before} of recovery. "
        )
        yield f"{again}What survived is {cut.state}: {cut.says}."
    if one.out_of_turn:
        yield f"One step out of turn took {', then '.join(one.out_of_turn)}."


def _message(sent: Sent) -> str:
    about = ", ".join(f"{name} {value}" for name, value in sent.arguments.items() if isinstance(value, str))
    return f"Management sent {sent.command}{about and f' ({about})'} and got: {sent.answer}."


def _device(device: DeviceSeen, killed: bool) -> str:
    return " ".join((_wanted(device), _shows(device), *_on_disk(device), *_books(device, killed)))


def _wanted(device: DeviceSeen) -> str:
    old, new = (" or ".join(images) for images in (device.old, device.new))
    onto = f" and its writes go to {device.mirror} as well" if device.mirror else ""
    if old == new and not onto:
        return f"{device.device} is to show {old}, before and after."
    return f"{device.device} is old while it shows {old}{onto and ' alone'}, new when it shows {new}{onto}."


def _shows(device: DeviceSeen) -> str:
    it = "It is gone; it showed" if device.gone else "It shows"
    besides = f", mirrored onto {', '.join(device.mirrors)}" if device.mirrors else ""
    problem = f" ({device.problem})" if device.problem else ""
    verdict = "which is neither" if device.state == "neither" else f"so it is {device.state}"
    return f"{it} {device.shows or 'no image'}{besides}{problem}, {verdict}."


def _on_disk(device: DeviceSeen) -> Iterator[str]:
    if device.unreadable:
        yield f"A fresh process cannot read that from the disk: {device.unreadable}."
    elif len(device.on_disk) > 1:
        yield f"On the disk that rests on {', then '.join(device.on_disk[1:])}."
    elif device.on_disk:
        yield "On the disk that rests on nothing."


def _books(device: DeviceSeen, killed: bool) -> Iterator[str]:
    booked = device.booked or "no image"
    if killed:
        yield f"Before the recovery management's books named {booked} for it."
    elif booked != device.shows:
        yield f"Management's books name {booked} for it."


def _files(one: Explanation) -> Iterator[str]:
    if one.created:
        yield f"New files: {', '.join(one.created)}."
    if one.removed:
        yield f"Removed files: {', '.join(one.removed)}."


def _laws(one: Explanation) -> Iterator[str]:
    for breach in one.breaches:
        yield f"{breach.law} is violated: {breach.found}."
        yield f"  It says: {breach.says}"
        yield f"  It counts where {breach.precondition}."
    if not one.breaches:
        yield "This case breaks no law."
    others = [verdict for verdict in one.verdicts.values() if verdict in _ALSO]
    words = (f"{others.count(verdict)} {word}" for verdict, word in _ALSO.items() if verdict in others)
    if others:
        yield f"Of the {'other ' if one.breaches else ''}{counted(len(others), 'law')}: {', '.join(words)}."
    if one.undecided:
        yield (
            "recoverable has its last word over all cases that look alike to a recovering program: a report "
            "may find it violated where this case alone does not."
        )
