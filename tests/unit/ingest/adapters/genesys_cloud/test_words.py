"""One word, written in three ways."""

import pytest

from services.ingest.adapters.genesys_cloud import topics, words


@pytest.mark.parametrize(
    "spellings",
    [
        ("transfer", "TRANSFER", "transfer"),
        ("transfer.noanswer", "NO_ANSWER_TRANSFER", "noAnswerTransfer"),
        ("transfer.consult", "CONSULT_TRANSFER", "consultTransfer"),
        ("transfer.notavailable", "NOT_AVAILABLE_TRANSFER", "notAvailableTransfer"),
        ("transport.failure", "TRANSPORT_FAILURE", "transportFailure"),
        ("session.expired", "SESSION_EXPIRED", "sessionExpired"),
    ],
)
def test_a_disconnect_type_has_one_name(spellings: tuple[str, ...]) -> None:
    assert len({words.how(each) for each in spellings}) == 1


@pytest.mark.parametrize(
    ("ended", "is_one"),
    [
        ("transfer", True),
        ("transfer.consult", True),
        ("transfer.noanswer", False),
        ("transport.failure", False),
    ],
)
def test_what_nobody_took_is_no_transfer(ended: str, is_one: bool) -> None:
    assert words.is_transfer(words.how(ended)) is is_one


@pytest.mark.parametrize(
    ("word", "media"),
    [("VOICE", "voice"), ("calls", "call"), ("MESSAGE", "message"), ("messages", "message"), ("VIDEO", ""),
     (None, ""), (7, "")],
)  # fmt: skip
def test_media(word: object, media: str) -> None:
    assert words.media_of(word) == media


def test_what_is_subscribed_to_can_be_read_again() -> None:
    wanted = [*topics.of_queue("q-1"), topics.of_user("u-1")]

    assert {topics.read(each).form for each in wanted} == {"conversations", "user"}
    assert (topics.queues_in(wanted), topics.users_in(wanted)) == (["q-1"], ["u-1"])
    assert topics.users_in(["v2.users.u-2?presence&routingStatus"]) == ["u-2"]
