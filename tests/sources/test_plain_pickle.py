import os
import pickle

import numpy as np
import pytest

from mgray.errors import ConfigError
from mgray.sources.plain_pickle import read_pickle, write_pickle

EXAMS = [
    {
        "horizontal_flip": "NO",
        "L-CC": ["0_L_CC", "ü"],
        "cancer_label": {"left_benign": 0, "unknown": True, "x": None},
        "window_location": {"L-CC": [(353, 4009, -1, 2440.5), ()]},
        "big": 2**40,
    },
    {},
]


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_plain_data_of_every_protocol_are_read(protocol):
    assert read_pickle(pickle.dumps(EXAMS, protocol)) == EXAMS


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize(
    "number", [np.int64(-7), np.int32(7), np.float64(0.5), np.float32(0.5), np.uint8(200)]
)
def test_numpy_scalars_are_numbers(protocol, number):
    (found,) = read_pickle(pickle.dumps([number], protocol))
    assert found == number.item()
    assert type(found) in (int, float)


class Evil:
    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_code_is_refused_and_not_run(protocol, tmp_path):
    data = pickle.dumps([Evil(f"touch {tmp_path}/ran")], protocol)
    with pytest.raises(ConfigError, match="names code to run"):
        read_pickle(data)
    assert not (tmp_path / "ran").exists()


def test_objects_of_classes_are_refused():
    with pytest.raises(ConfigError, match=r"names code to run|more than plain data"):
        read_pickle(pickle.dumps(np.zeros(3)))


@pytest.mark.parametrize("data", [b"", b"dear diary", pickle.dumps(EXAMS)[:40], b"\x80\x04]."[:-1]])
def test_damaged_file_is_one_clear_line(data):
    with pytest.raises(ConfigError, match="pickle"):
        read_pickle(data)


def test_pickle_of_too_many_steps_is_refused(monkeypatch):
    monkeypatch.setattr("mgray.sources.plain_pickle.MOST_STEPS", 100)
    assert len(read_pickle(pickle.dumps([1] * 40))) == 40
    with pytest.raises(ConfigError, match="more than 100 steps"):
        read_pickle(pickle.dumps([1] * 100))


def test_what_is_written_is_what_python_reads():
    plain = [{key: value for key, value in EXAMS[0].items() if key != "big"}, {}]
    assert pickle.loads(write_pickle(plain)) == plain
    assert read_pickle(write_pickle(plain)) == plain


def test_other_objects_are_not_written():
    with pytest.raises(TypeError, match="ndarray is no plain data"):
        write_pickle([np.zeros(1)])
