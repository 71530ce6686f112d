from tests.console import ROOT, run_job
from tests.sources.mini_embed import Embed


def test_list_page_and_document_are_printed():
    assert "\nembed\n  what     EMBED" in run_job("sources").stdout
    assert run_job("sources", "embed").stdout.startswith("## embed\n")
    assert run_job("sources", "all").stdout == (ROOT / "docs" / "sources.md").read_text()


def test_archive_is_counted_against_the_release(tmp_path):
    embed = Embed(tmp_path / "embed")
    embed.image("1000000000000001", "L")
    done = run_job("sources", "embed", f"archive={embed.write()}")
    assert done.returncode == 0
    assert "480,323" in done.stdout
    assert "a partial download or another release, which is fine" in done.stdout


def test_fault_while_counting_tells_no_path(tmp_path):
    folder = tmp_path / "Jane"
    folder.mkdir()
    (folder / "train.csv").symlink_to("/proc/self/mem")  # a file that cannot be read
    done = run_job("sources", "rsna", f"archive={folder}")
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert "Jane" not in done.stderr
    assert "cannot be read or written" in done.stderr


def test_wrong_words_are_one_line():
    done = run_job("sources", "embd")
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert done.stderr.startswith("error: source='embd': did you mean 'embed'?")
