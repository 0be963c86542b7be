"""Checks of answers: nothing before its time, every piece once, everything counted."""

from __future__ import annotations

import base64

import msgspec

from oneseat.contract.events import Message, Started, TextDelta, ThinkingDelta, TurnEnded, UsageSeen
from oneseat.contract.facts import CredentialFacts, KeyFacts
from oneseat.contract.receipt import TokenUsage
from oneseat.contract.request import Attachment
from oneseat.testing.dialects.smallest import smallest
from oneseat.testing.replies import Answer, Text, Thinking, Usage

from .bench import Bench, expect, sent_text

_SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "total": {"type": "number"}},
    "required": ["name", "total"],
    "additionalProperties": False,
}
#: A PNG of one pixel.
_PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


async def facts_come_before_sending(bench: Bench) -> None:
    """Who would pay is known before anything is sent."""
    provider = bench.provider("ok")
    request = bench.request()
    async with bench.opened(provider, request) as session:
        facts = await session.credential_facts()
        expect(isinstance(facts, msgspec.Struct), f"no facts: {facts!r}")
        if isinstance(facts, KeyFacts):
            expect(facts.key and facts.place and facts.endpoint, f"facts without a name or place: {facts}")
            expect(facts.problem is None, f"a problem with the key: {facts.problem}")
        if isinstance(facts, CredentialFacts):
            expect(facts.account is not None, "the account is not known")
        while not await session.ready():
            pass
    expect(not bench.requests(), f"{len(bench.requests())} requests reached the vendor before the prompt")


async def one_end_and_every_piece_once(bench: Bench) -> None:
    """An answer in pieces: they join to its text, and one end comes last."""
    turn = await bench.one(bench.play(Answer(content=(Text("one two three"),))))
    ends = turn.of(TurnEnded)
    expect(turn.code is None, f"it failed: {turn.code}")
    expect(len(ends) == 1 and turn.events[-1] is ends[0], f"{len(ends)} ends, or not the last event")
    expect(turn.text == "one two three", f"another text: {turn.text!r}")
    pieces = "".join(event.text for event in turn.of(TextDelta))
    expect(pieces in ("", turn.text), f"the pieces are another text: {pieces!r}")
    messages = "".join(event.text for event in turn.of(Message))
    expect(messages == turn.text, f"the messages are another text: {messages!r}")
    expect(len(bench.requests()) == 1, f"{len(bench.requests())} requests for one answer")


async def events_come_in_order(bench: Bench) -> None:
    """It says that it started, then the thinking, the words and the whole message."""
    turn = await bench.one(bench.play(Answer(content=(Thinking("let me see"), Text("well then")))))
    kinds = [type(event) for event in turn.events]
    expect(Started in kinds, "it never says that it started")
    for kind in (TextDelta, ThinkingDelta, Message, UsageSeen):
        if kind in kinds:
            expect(kinds.index(Started) < kinds.index(kind), f"{kind.__name__} comes before Started")
    if TextDelta in kinds and Message in kinds:
        expect(kinds.index(TextDelta) < kinds.index(Message), "the message comes before its pieces")
    expect("let me see" not in turn.text, "what was thought is part of the answer")


async def everything_is_counted(bench: Bench) -> None:
    """Tokens of every kind, as the vendor reports them, and the model that answered."""
    usage = Usage(input_tokens=50, cache_write_5m_tokens=7, cache_read_tokens=11, output_tokens=13)
    turn = await bench.one(bench.play(Answer(content=(Text("counted"),), usage=usage)))
    seen = turn.ended.usage if turn.ended is not None else None
    expect(seen is not None, "the end reports no usage")
    expect(_sent_and_written(seen or TokenUsage()) == (68, 11, 13), f"other counts: {seen}")
    ends = [event for event in turn.of(UsageSeen) if event.stop_reason is not None]
    for event in ends[-1:]:
        expect(event.usage.output_tokens == 13, f"UsageSeen counts otherwise: {event.usage}")
    models = {event.model for event in (*turn.of(Started), *turn.of(TurnEnded)) if event.model}
    expect(models, "nowhere does it say which model answered")


def _sent_and_written(usage: TokenUsage) -> tuple[int, int | None, int | None]:
    sent = (
        usage.input_tokens,
        usage.cache_read_tokens,
        usage.cache_write_5m_tokens,
        usage.cache_write_1h_tokens,
    )
    return sum(tokens or 0 for tokens in sent), usage.cache_read_tokens, usage.output_tokens


async def text_stays_text(bench: Bench) -> None:
    """What looks like a command, an option or a file arrives as it was typed."""
    prompts = ("/help me\n-p --model x", "@/etc/hostname ñandú 🙂\n\ttab")
    for index, prompt in enumerate(prompts):
        await bench.one(bench.provider("ok"), bench.request(prompt))
        arrived = sent_text(bench.requests()[index])
        expect(
            msgspec.json.encode(prompt).decode()[1:-1] in arrived, f"it does not arrive as typed: {prompt!r}"
        )


async def instructions_are_sent(bench: Bench) -> None:
    """The caller's instructions reach the model."""
    await bench.one(bench.provider("ok"), bench.request(system="Answer like a pirate of 1700."))
    expect("Answer like a pirate of 1700." in sent_text(bench.requests()[0]), "they were not sent")


async def files_are_sent(bench: Bench) -> None:
    """A text file arrives as text."""
    file = Attachment("notes.txt", "text/plain", b"the word is xylophone")
    await bench.one(bench.provider("ok"), bench.request(attachments=(file,)))
    expect("xylophone" in sent_text(bench.requests()[0]), "the file was not sent")


async def pictures_are_sent(bench: Bench) -> None:
    """A picture arrives whole."""
    await _sent_whole(bench, Attachment("dot.png", "image/png", _PIXEL))


async def documents_are_sent(bench: Bench) -> None:
    """A PDF arrives whole."""
    await _sent_whole(bench, Attachment("page.pdf", "application/pdf", b"%PDF-1.4 made up for a test " * 8))


async def _sent_whole(bench: Bench, file: Attachment) -> None:
    await bench.one(bench.provider("ok"), bench.request(attachments=(file,)))
    arrived = sent_text(bench.requests()[0])
    forms = (base64.b64encode(file.data), base64.urlsafe_b64encode(file.data))
    expect(any(form.decode() in arrived for form in forms), "the file was not sent, or not whole")


async def a_structure_fits_its_schema(bench: Bench) -> None:
    """With a schema, the answer is JSON that fits it."""
    turn = await bench.one(bench.provider("structured"), bench.request(schema=_SCHEMA))
    expect(turn.code is None and turn.ended is not None, f"it failed: {turn.code}")
    structured = turn.ended.structured if turn.ended is not None else None
    value = structured if structured is not None else msgspec.json.decode(turn.text)
    expect(value == smallest(_SCHEMA), f"another structure: {value!r}")
    expect('"total"' in sent_text(bench.requests()[0]), "the schema was not sent")


async def a_second_message_follows_the_first(bench: Bench) -> None:
    """A further message is part of the same conversation."""
    provider = bench.play(Answer(content=(Text("first answer"),)), Answer(content=(Text("second answer"),)))
    first, second = await bench.run(provider, bench.request("my first words"), say=["my second words"])
    expect((first.text, second.text) == ("first answer", "second answer"), f"other answers: {second.text!r}")
    arrived = sent_text(bench.requests()[-1])
    for words in ("my first words", "first answer", "my second words"):
        expect(words in arrived, f"the second request does not hold: {words!r}")


async def a_held_conversation_goes_on(bench: Bench) -> None:
    """Runs of a held provider are one conversation; other runs know nothing of it."""
    provider = bench.play(Answer(content=(Text("noted"),)))
    async with provider.conversation() as conversation:
        await bench.one(conversation, bench.request("remember violet"))
        await bench.one(conversation, bench.request("which colour?"))
    await bench.one(provider, bench.request("who am I?"))
    bodies = [sent_text(record) for record in bench.requests()]
    expect(len(bodies) == 3, f"{len(bodies)} requests for three messages")
    expect("remember violet" in bodies[1], "the second message does not know of the first")
    expect("violet" not in bodies[2], "an independent run saw the text of another conversation")


async def nothing_is_printed_beside(bench: Bench) -> None:
    """A run without trouble prints nothing on standard error."""
    provider, request = bench.provider("ok"), bench.request()
    async with bench.opened(provider, request) as session:
        await session.credential_facts()
        async for _ in session.send(await bench.dispatch(provider, session, request)):
            pass
    stderr = session.stderr()
    expect(stderr is None, f"it printed: {stderr.text if stderr is not None else ''!r}")
