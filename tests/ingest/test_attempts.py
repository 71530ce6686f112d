from mgray.ingest.attempts import MOST_DEATHS, Attempts, forget


def die_at(note, index):
    """An attempt that is killed at one file."""
    attempts = Attempts(note)
    for at in range(index + 1):
        attempts.begin(at)


def begun(note):
    attempts = Attempts(note)
    return [attempts.begin(index) for index in range(3)]


def test_file_is_refused_after_it_killed_three_workers(tmp_path):
    note = tmp_path / "chunk.at"
    for _ in range(MOST_DEATHS):
        die_at(note, 1)
    assert begun(note) == [True, False, True]


def test_file_is_tried_again_until_then(tmp_path):
    note = tmp_path / "chunk.at"
    for _ in range(MOST_DEATHS - 1):
        die_at(note, 1)
    assert begun(note) == [True, True, True]


def test_worker_that_lives_leaves_no_note(tmp_path):
    note = tmp_path / "chunk.at"
    for _ in range(MOST_DEATHS + 1):
        attempts = Attempts(note)
        assert attempts.begin(0)
        attempts.clear()
    assert not note.exists()


def test_half_written_note_counts_nothing(tmp_path):
    note = tmp_path / "chunk.at"
    note.write_text("[0, 0, 0, ")
    assert Attempts(note).begin(0)


def test_notes_are_forgotten_at_the_end(tmp_path):
    die_at(tmp_path / "chunk.at", 0)
    forget(tmp_path)
    assert list(tmp_path.iterdir()) == []
