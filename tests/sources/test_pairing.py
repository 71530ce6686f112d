from mgray.sources.pairing import Candidate, flag_repeated, pair_by_time


def taken(kind, seconds=None, number=None, key="k"):
    return Candidate(key, kind, seconds, number)


def groups(*images):
    return {at: told["pair_group"] for at, told in pair_by_time(images).items()}


def test_one_of_each_needs_nothing():
    assert groups(taken("ffdm", 1.0), taken("synthetic_2d", 2.0)) == {}


def test_closest_times_are_pairs_one_to_one():
    found = groups(
        taken("ffdm", 0.0), taken("ffdm", 100.0), taken("synthetic_2d", 90.0),
        taken("synthetic_2d", 8.0),
    )  # fmt: skip
    assert found[0] == found[3] != found[1] == found[2]


def test_rest_is_alone():
    found = pair_by_time([taken("ffdm", 0.0), taken("ffdm", 50.0), taken("synthetic_2d", 1.0)])
    assert found[1] == {"pair_group": "alone0", "qc_flags": ["dup_view"]}
    assert found[0] == found[2] == {"pair_group": "pair0", "qc_flags": ["paired_by_time"]}


def test_number_of_the_series_helps_where_a_time_is_missing():
    found = groups(
        taken("ffdm", 5.0, 1.0), taken("ffdm", None, 4.0), taken("synthetic_2d", 5.0, 5.0)
    )
    assert found[1] == found[2] != found[0]


def test_nothing_is_decided_where_nothing_tells():
    assert groups(taken("ffdm"), taken("ffdm"), taken("synthetic_2d")) == {}


def test_equal_times_decide_nothing():
    same = (taken("ffdm", 9.0), taken("ffdm", 9.0), taken("synthetic_2d", 12.0))
    assert groups(*same) == {}
    assert groups(taken("ffdm", 9.0), taken("ffdm", 15.0), taken("synthetic_2d", 12.0)) == {}


def test_numbers_of_the_series_part_equal_times():
    found = groups(
        taken("ffdm", 9.0, 1.0), taken("ffdm", 9.0, 4.0), taken("synthetic_2d", 12.0, 5.0)
    )
    assert found[1] == found[2] != found[0]


def test_other_views_and_images_without_key_do_not_matter():
    others = (taken("ffdm", 1.0, key="x"), taken("ffdm", 1.0, key=None), taken("film", 1.0))
    assert groups(taken("ffdm", 1.0), taken("synthetic_2d", 2.0), *others) == {}


def test_repeated_views_of_an_exam_are_flagged_beside_other_flags():
    one = {"exam_id": "e", "laterality": "L", "view": "CC", "qc_flags": ["implant"]}
    images = [one, {**one, "qc_flags": []}, {**one, "laterality": "R"}, {**one, "exam_id": "f"}]
    assert flag_repeated(images) == 2
    told = [image["qc_flags"] for image in images]
    assert told == [["implant", "dup_view"], ["dup_view"], ["implant"], ["implant"]]
