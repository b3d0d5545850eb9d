"""Contents: the digest of all that answers depend on, by name, found out when it is first asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from codemods.source.digest import LENGTH

# The digest of what is not there.
NOTHING = bytes(LENGTH)


class Contents(dict[str, bytes]):
    """Digests by name.

    Args:
        find: returns the digest of what has a name; None where there is no such thing.
    """

    def __init__(self, find: Callable[[str], bytes | None]) -> None:
        super().__init__()
        self._find = find

    def __missing__(self, name: str) -> bytes:
        self[name] = digest = self._find(name) or NOTHING
        return digest

    def agree_with(self, depends: Mapping[str, bytes]) -> bool:
        """Whether everything has the content that it had by ``depends``.

        The first that is found to differ ends the search. Those that are known are compared as sets are,
        without a step of Python for each: there are a hundred behind an answer.
        """
        unknown = sorted(depends.keys() - self.keys())
        return all(self[name] == depends[name] for name in unknown) and depends.items() <= self.items()
