"""How a peer's process times what it runs."""
import time


def median_seconds(run, seconds):
    """Warm for a third of the time (traced code is compiled in its first runs), then timed, call by call."""
    begin = time.perf_counter()
    runs = 0
    while runs < 3 or time.perf_counter() < begin + seconds / 3:
        run()
        runs += 1
    times = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times) < 3:
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return sorted(times)[len(times) // 2]
