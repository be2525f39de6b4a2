"""The plugin of pytest, in runs of pytest of its own."""

import pytest

SETTINGS = """
    from heksherlite import Setting

    cache_ttl = Setting("cache_ttl", int, ["environment", "user"], default_value=60)
    retries = Setting("retries", int, ["user"], default_value=3)
    unused = Setting("unused", int, ["user"], default_value=0)
"""


@pytest.fixture(autouse=True)
def program(pytester: pytest.Pytester) -> None:
    """Write the program under test."""
    pytester.makepyfile(program=SETTINGS)
    pytester.makeini("[pytest]\naddopts = -p no:cacheprovider -p no:randomly -p no:schemathesis\n")


def run(pytester: pytest.Pytester, tests: str, *options: str) -> pytest.RunResult:
    """Run tests in a process of its own."""
    pytester.makepyfile(test_it=tests)
    return pytester.runpytest_subprocess(*options, timeout=120)


def test_overrides_end_with_their_tests(pytester: pytest.Pytester) -> None:
    """The fixture and the marker count in their tests only: functions, coroutines, classes, and cases of unittest."""
    result = run(
        pytester,
        """
        import threading, unittest
        import anyio, pytest
        from heksherlite.testing import override
        from program import cache_ttl, retries

        pytestmark = pytest.mark.heksher(retries=4)

        def test_fixture(heksher):
            heksher.set(cache_ttl, 5)
            heksher.set("cache_ttl", 6, where={"user": "john"})
            heksher.context(user="john")
            assert (cache_ttl.get(user="jane"), cache_ttl.get(), retries.get()) == (5, 6, 4)

        def test_nothing_is_left():
            assert (cache_ttl.get(), retries.get()) == (60, 4)

        @pytest.mark.heksher(cache_ttl=8)
        @pytest.mark.heksher({"cache_ttl": 7}, where={"user": "john"})
        def test_markers():
            assert (cache_ttl.get(user="john"), cache_ttl.get()) == (7, 8)

        @pytest.fixture
        def reads():
            return cache_ttl.get()

        @pytest.fixture
        @override(cache_ttl=9)
        def overridden():
            yield cache_ttl.get()

        @pytest.mark.heksher(cache_ttl=7)
        def test_fixtures_of_a_marked_test(reads):
            assert reads == 7

        def test_fixture_with_override(overridden):
            assert overridden == cache_ttl.get() == 9

        @pytest.mark.anyio
        class TestAsync:
            @pytest.fixture(params=["asyncio", "trio"])
            def anyio_backend(self, request):
                return request.param

            async def test_fixture(self, heksher):
                heksher.set(cache_ttl, 5)
                heksher.context(user="john")
                heksher.set(cache_ttl, 6, where={"user": "john"})
                found = [await anyio.to_thread.run_sync(cache_ttl.get)]
                thread = threading.Thread(target=lambda: found.append(cache_ttl.get()))
                thread.start()
                thread.join()
                assert found == [6, 6]

            @pytest.mark.heksher(cache_ttl=7)
            async def test_marker(self):
                await anyio.lowlevel.checkpoint()
                assert cache_ttl.get() == 7

            @override(cache_ttl=8)
            async def test_decorator(self, reads):
                assert (reads, cache_ttl.get()) == (60, 8)

        @override(cache_ttl=10)
        class TestPlain:
            def setup_method(self):
                self.found = cache_ttl.get()

            def teardown_method(self, method):
                assert (method.__name__, cache_ttl.get()) == ("test", 10)

            @pytest.mark.parametrize("number", [1, 2])
            def test(self, number, reads):
                assert (self.found, cache_ttl.get(), reads) == (10, 10, 60)

        @override(cache_ttl=11)
        class Case(unittest.TestCase):
            def setUp(self):
                self.assertEqual(cache_ttl.get(), 11)

            def test(self):
                self.assertEqual((cache_ttl.get(), retries.get()), (11, 4))

            @pytest.mark.heksher(retries=5)
            def test_marked(self):
                self.assertEqual((cache_ttl.get(), retries.get()), (11, 5))

        class AsyncCase(unittest.IsolatedAsyncioTestCase):
            @override(cache_ttl=12)
            async def test(self):
                self.assertEqual(cache_ttl.get(), 12)

        def test_nothing_is_left_at_the_end():
            assert cache_ttl.get() == 60
        """,
        "-p",
        "anyio",
    )
    result.assert_outcomes(passed=17)


def test_mistakes_fail_the_test(pytester: pytest.Pytester) -> None:
    """A wrong value or name fails its test with the right name, and the following tests are as if nothing happened."""
    result = run(
        pytester,
        """
        import pytest
        from program import cache_ttl, retries

        def test_value(heksher):
            heksher.set(cache_ttl, "5")

        def test_name(heksher):
            heksher.set("cache_tl", 5)

        @pytest.mark.heksher(retries=4, cache_tl=5)
        def test_marker():
            pass

        @pytest.fixture
        def broken():
            yield
            raise RuntimeError("at the end")

        @pytest.mark.heksher(retries=4)
        def test_a_fixture_that_fails_at_its_end(broken):
            pass

        def test_nothing_is_left():
            assert (cache_ttl.get(), retries.get()) == (60, 3)
        """,
    )
    result.assert_outcomes(passed=2, failed=2, errors=2)
    result.stdout.fnmatch_lines_random(
        [
            "*value '5' of setting 'cache_ttl' is not of its type, int*",
            "*there is no setting 'cache_tl' in this process; the nearest is 'cache_ttl'*",
        ]
    )


@pytest.mark.thorough
def test_missing_context_is_an_error_if_asked_for(pytester: pytest.Pytester) -> None:
    """Without a client, defaults need no context and log nothing; with ``heksher_strict`` they need it."""
    tests = """
        import logging
        from program import cache_ttl

        def test_default(heksher, caplog):
            caplog.set_level(logging.DEBUG)
            assert cache_ttl.get() == 60
            heksher.set(cache_ttl, 5)
            assert cache_ttl.get() == 5
            assert caplog.records == []
    """
    run(pytester, tests).assert_outcomes(passed=1)
    result = run(pytester, tests, "-o", "heksher_strict=true")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*MissingContextError: *'environment'*"])


@pytest.mark.thorough
def test_a_service_is_shared_and_emptied(pytester: pytest.Pytester) -> None:
    """Each test gets the service without settings, with the context features of the settings or those configured."""
    tests = """
        import httpx, pytest
        from heksherlite import TRACK_ALL, ThreadHeksherClient
        from program import cache_ttl

        URLS = set()

        @pytest.mark.parametrize("number", [1, 2])
        def test_service(heksher_service, number):
            URLS.add(heksher_service.url)
            assert len(URLS) == 1
            api = heksher_service.url + "/api/v1"
            assert httpx.get(api + "/settings").json() == {"settings": []}
            client = ThreadHeksherClient(heksher_service.url, 60, ["environment", "user"])
            client.track_contexts(environment=TRACK_ALL, user=TRACK_ALL)
            with client:
                rule = {"setting": "cache_ttl", "feature_values": {"user": "john"}, "value": number}
                httpx.post(api + "/rules", json=rule).raise_for_status()
                client.reload()
                assert cache_ttl.get(user="john", environment="dev") == number

        def test_features(heksher_service, pytestconfig):
            found = httpx.get(heksher_service.url + "/api/v1/context_features").json()
            expected = pytestconfig.getini("heksher_context_features") or ["environment", "user"]
            assert found == {"context_features": expected}
    """
    run(pytester, tests).assert_outcomes(passed=3)
    run(pytester, tests, "-o", "heksher_context_features=environment user theme").assert_outcomes(passed=3)
    run(pytester, tests, "-n", "2").assert_outcomes(passed=3)


@pytest.mark.parametrize("options", [(), pytest.param(("-n", "2"), marks=pytest.mark.thorough)])
def test_the_report_says_what_was_read(pytester: pytest.Pytester, options: tuple[str, ...]) -> None:
    """The report lists settings that were read with other values, only with the default, and never; under xdist too."""
    result = run(
        pytester,
        """
        import pytest
        from program import cache_ttl, retries

        @pytest.mark.parametrize("number", range(4))
        def test_it(heksher, number):
            heksher.set(cache_ttl, 60 + number)
            assert (cache_ttl.get(), retries.get()) == (60 + number, 3)
        """,
        "--heksher-report",
        *options,
    )
    result.assert_outcomes(passed=4)
    result.stdout.fnmatch_lines(
        [
            "*settings*",
            "the tests read 2 of 3 settings",
            "with different values: cache_ttl (4 reads, 3 of other values)",
            "only with the default: retries (4 reads, 0 of other values)",
            "never read: unused",
        ]
    )


def test_the_plugin_imports_nothing_until_it_is_used(pytester: pytest.Pytester) -> None:
    """A run of tests that use no settings imports neither the package nor a library of it."""
    result = run(
        pytester,
        """
        import sys

        def test_it():
            ours = {name for name in sys.modules if name.startswith("heksherlite")}
            assert ours == {"heksherlite_pytest"}
            assert not {"httpx", "orjson", "cachetools"} & set(sys.modules)
        """,
    )
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("option", "text"),
    [
        ("--fixtures", "heksher_service"),
        ("--markers", "@pytest.mark.heksher(values, /, [*], where=None, [*][*]by_name)*"),
        ("--help", "*--heksher-report*"),
    ],
)
def test_fixtures_markers_and_options_are_listed(pytester: pytest.Pytester, option: str, text: str) -> None:
    """What pytest lists has the fixtures, the marker and the options, with a sentence about each."""
    run(pytester, "", option).stdout.fnmatch_lines([f"{text}*"])
