"""`fair_forge` for programs that run without the package alquimia-fair-forge: its runner schemas and nothing else.

The finder stands last in sys.meta_path, so whatever is installed, or lies in the current folder, wins. Names that the stand-in does not have say which
package has them.
"""
import importlib.abc
import importlib.machinery
import sys

COMMON = ("Logprobs", "Batch", "Dataset", "IterationLevel", "SessionMetadata", "StreamedBatch")
MODULES = {
    "fair_forge": (),
    "fair_forge.schemas": (*COMMON, "BaseRunner"),
    "fair_forge.schemas.common": COMMON,
    "fair_forge.schemas.runner": ("BaseRunner", "Batch", "Dataset"),
    "fair_forge.runners": ("BaseRunner",),
}


def _needs(name):
    more = " (fairforge runs Alquimia's agents by itself: --connector alquimia)" if name.endswith("AlquimiaRunner") else ""
    return "%s needs the package alquimia-fair-forge, which is not installed%s" % (name, more)


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(self, name, path=None, target=None):
        if name in MODULES:
            return importlib.machinery.ModuleSpec(name, self, is_package=name in ("fair_forge", "fair_forge.schemas"))
        if name.partition(".")[0] == "fair_forge" and getattr(sys.modules.get("fair_forge"), "fairforge_stand_in", False):
            raise ModuleNotFoundError(_needs(name), name=name)
        return None

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        from . import schemas

        if module.__name__ == "fair_forge":
            module.fairforge_stand_in = True
        names = MODULES[module.__name__]
        for name in names:
            setattr(module, name, getattr(schemas, name))
        module.__all__ = list(names)

        def missing(name):
            if name.startswith("__"):
                raise AttributeError(name)
            raise ImportError(_needs("%s.%s" % (module.__name__, name)), name=module.__name__)

        module.__getattr__ = missing


def offer():
    sys.meta_path.append(_Finder())
