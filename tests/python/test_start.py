"""What is wrong before the first turn is one sentence in the welcome; how modules, classes and arguments are found."""
import ast
import re

import pytest

from conftest import ADAPTER, SOURCE

REFUSED = [
    ("no_such_module:X", {}, r"There is no module no_such_module: neither in .*/runners nor among the packages of .*python.*\."),
    ("no.such.module:X", {}, r"There is no module no: neither in "),
    ("my_module.sub:X", {}, r"There is no module my_module\.sub: "),
    ("my_module:MyCustomRuner", {}, r"my_module has no MyCustomRuner; did you mean MyCustomRunner\."),
    ("my_module:Xyz", {}, r"my_module has no Xyz\."),
    ("my_module:MyCustomRunner.Inner", {}, r"my_module\.MyCustomRunner has no Inner\."),
    ("my_module", {}, r'A runner is named MODULE:CLASS, like my_module:MyCustomRunner, not "my_module"\.'),
    ("./my_module.py:MyCustomRunner", {}, r"A runner is named MODULE:CLASS, as Python imports it: my_module:MyCustomRunner from its folder, not \./my_module\.py:MyCustomRunner\."),
    ("my_module:MyCustomRunner", {}, r"MyCustomRunner needs the arguments api_key, endpoint: give --runner-arg api_key=… --runner-arg endpoint=…\."),
    ("my_module:MyCustomRunner", {"api_key": "k"}, r"MyCustomRunner needs the argument endpoint: give --runner-arg endpoint=…\."),
    ("my_module:MyCustomRunner", {"api_key": "k", "endpont": 1}, r"MyCustomRunner takes no argument endpont: it takes api_key, endpoint\."),
    ("kinds:InOrder", {"a": 1}, r"InOrder takes no argument a: it takes none\."),
    ("trouble:Needs", {"port": 0}, r"Needs could not be made from its arguments: ValueError: the port must not be 0\."),
    ("trouble:Needs", {"port": 1}, r"Needs could not be made from its arguments: KeyError: the key MY_SERVICE_API_KEY is not there\. A worker sees MY_SERVICE_API_KEY only with "
                                   r"--worker-env MY_SERVICE_API_KEY; or give it as --runner-arg NAME=env:MY_SERVICE_API_KEY\."),
    ("trouble:Needs", {"port": 2}, r"Needs could not be made from its arguments: it called sys\.exit\(bye\)\."),
    ("fair_forge.schemas:BaseRunner", {}, r"BaseRunner cannot be used: can't instantiate abstract class BaseRunner"),
    ("trouble:Half", {}, r"trouble:Half is no runner: it has no method run_dataset\."),
    ("trouble:NoRunner", {}, r"trouble:NoRunner is no runner: it has no method run_dataset\."),
    ("trouble:made_later", {}, r"made_later is asynchronous: a runner is made by a plain call\."),
    ("trouble:not_a_class", {}, r"trouble\.not_a_class is a int, not a class\.|trouble\.not_a_class is an int, not a class\."),
    ("missing_package:X", {}, r"The module missing_package needs the module no_such_package_anywhere, which .*python.* does not have \(missing_package\.py line 1\)\."),
    ("broken:X", {}, r"The module broken cannot be imported: broken\.py line 1 is not valid Python: "),
    ("raises_at_import:X", {}, r"The module raises_at_import cannot be imported: RuntimeError: the config is not there \(raises_at_import\.py line 2\)\."),
    ("exits_at_import:X", {}, r"The module exits_at_import cannot be imported: it called sys\.exit\(2\)"),
]


@pytest.mark.parametrize("spec, args, sentence", REFUSED)
def test_refused(adapter, spec, args, sentence):
    one = adapter("runner", spec, args=args)
    assert one.welcome["protocol"] == 1 and re.match(sentence, one.welcome["error"]), one.welcome
    assert "\n" not in one.welcome["error"] and one.welcome["error"].endswith(".")
    assert one.end()[0] == 0


STAND_IN = [
    ("wants_more:X", r"The module wants_more cannot be imported: .*fair_forge\.metrics needs the package alquimia-fair-forge, which is not installed \(wants_more\.py line 1\)\."),
    ("wants_alquimia:X", r".*fair_forge\.runners\.AlquimiaRunner needs the package alquimia-fair-forge, which is not installed \(fairforge runs Alquimia's agents by itself: "
                         r"--connector alquimia\)"),
]


@pytest.mark.parametrize("spec, sentence", STAND_IN)
def test_what_the_stand_ins_do_not_have(adapter, spec, sentence):
    one = adapter("runner", spec)
    assert re.match(sentence, one.welcome["error"]), one.welcome


def test_wrong_words(adapter):
    for words in (["runner"], [], ["other", "a:b"], ["runner", "a:b", "--what", "each"]):
        assert adapter(*words).welcome["error"].startswith("The adapter is started as: "), words
    assert adapter("runner", "a:b", "--batches", "some").welcome["error"] == "--batches must be each, whole or parallel, not some."


@pytest.mark.parametrize("args, told", [
    ({"port": 8080}, [8080, "t", None, None]),
    ({"port": 8080, "tag": 12345678901234567890123, "optional": 1.10, "anything": {"a": [1, 2.5]}}, [8080, "12345678901234567890123", "1.1", {"a": [1, 2.5]}]),
    ({"port": 8080, "tag": True, "optional": None, "anything": False}, [8080, "true", None, False])])
def test_arguments_by_annotation(runner, args, told):
    assert runner("trouble:Needs", args=args).session("a")[0][0]["answer"] == repr(told)


def test_numbers_keep_their_text(runner):
    from fairforge_worker import loading

    class Takes:
        def __init__(self, key: str, n: int):
            pass

    typed = {"key": loading.Typed("1.10"), "n": loading.Typed("7")}
    assert loading.as_typed(Takes, {"key": 1.1, "n": 7}, typed) == {"key": "1.10", "n": 7}


def test_the_current_folder_comes_first(adapter, tmp_path):
    (tmp_path / "adapter.py").write_text("from fair_forge.schemas.runner import BaseRunner\nimport sys, os\nassert sys.path[0] == os.getcwd()\n"
                                         "assert not any(p.endswith('fairforge_worker') for p in sys.path)\n"
                                         "class R(BaseRunner):\n    async def run_batch(self, b, s): return b, True, 0\n"
                                         "    async def run_dataset(self, d): return d.model_copy(update={'conversation': [(await self.run_batch(b, d.session_id))[0] for b in d.conversation]}), {}\n")
    assert "error" not in adapter("runner", "adapter:R", folder=tmp_path).welcome


def test_the_users_own_fair_forge_wins(adapter, tmp_path):
    (tmp_path / "fair_forge").mkdir()
    (tmp_path / "fair_forge" / "__init__.py").write_text("")
    (tmp_path / "fair_forge" / "schemas.py").write_text("raise RuntimeError('this one')")
    (tmp_path / "mine.py").write_text("import fair_forge.schemas")
    assert "this one" in adapter("runner", "mine:X", folder=tmp_path).welcome["error"]


def test_old_pythons_get_as_far_as_the_sentence():
    ast.parse((ADAPTER / "__main__.py").read_text(), feature_version=(3, 4))


def test_only_the_standard_library_and_every_file_is_installed():
    import sys

    listed = set(re.findall(r"'(\w+\.py)'", (ADAPTER / "meson.build").read_text()))
    assert listed == {p.name for p in ADAPTER.glob("*.py")}, "meson.build must list every file"
    for path in ADAPTER.glob("*.py"):
        tree = ast.parse(path.read_text(), feature_version=(3, 10))
        for node in ast.walk(tree):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else [node.module] if isinstance(node, ast.ImportFrom) and not node.level else []
            assert all(n.split(".")[0] in sys.stdlib_module_names | {"fairforge_worker"} for n in names), (path, names)
    assert SOURCE.is_dir()
