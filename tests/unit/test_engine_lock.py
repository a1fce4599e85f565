from spoonkernel.engine.lock import FolderLock


def test_one_holder_at_a_time_even_within_a_process_and_the_next_after_release(tmp_path):
    first, second = FolderLock(tmp_path / "new"), FolderLock(tmp_path / "new")
    assert first.try_acquire()
    assert first.try_acquire()
    assert not second.try_acquire()
    first.release()
    first.release()
    assert second.try_acquire()
    second.release()
