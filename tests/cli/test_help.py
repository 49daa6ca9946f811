"""Help answers at once: no command's help may import TensorFlow."""

import subprocess
import sys

import pytest
from click.testing import CliRunner

from tfft import __version__, plugins
from tfft.cli import tfft

COMMANDS = [name.replace("_", "-") for name in plugins.names("cli")]
HEAVY = "{'tensorflow', 'keras', 'keras_hub', 'pyarrow', 'pydantic', 'sklearn', 'rich'}"


def run_python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_no_help_imports_tensorflow():
    calls = [["--help"], ["-h"], ["--version"], *([name, "--help"] for name in COMMANDS)]
    # plugins needs pydantic, and the command line needs plugins.
    output = run_python(
        "import sys\n"
        "from tfft.cli import tfft\n"
        f"for call in {calls}:\n"
        "    tfft(call, standalone_mode=False)\n"
        f"    heavy = {HEAVY} - {{'pydantic'}}\n"
        "    print('heavy:', call, sorted(heavy & set(sys.modules)))\n"
    )
    assert [line for line in output.splitlines() if line.startswith("heavy:")] == [
        f"heavy: {call} []" for call in calls
    ]


def test_importing_the_package_is_light():
    assert run_python(f"import sys, tfft\nprint({HEAVY} & set(sys.modules))") == "set()\n"


def test_the_group_lists_every_command_with_its_purpose():
    output = CliRunner().invoke(tfft, ["--help"]).output
    listed = output.partition("Commands:\n")[2].splitlines()
    assert [line.split()[0] for line in listed] == COMMANDS
    assert all(len(line.split()) > 3 for line in listed)
    assert "Example:" in output


@pytest.mark.parametrize("name", COMMANDS)
def test_a_commands_help_has_purpose_and_example(name):
    result = CliRunner().invoke(tfft, [name, "--help"])
    assert result.exit_code == 0
    assert result.output.startswith(f"Usage: tfft {name}")
    assert f"\n    tfft {name} " in result.output or f"| tfft {name} " in result.output, (
        "an example is missing"
    )
    assert CliRunner().invoke(tfft, [name, "-h"]).output == result.output


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_has_help(name):
    command = tfft.get_command(None, name)
    options = [p for p in command.params if p.param_type_name == "option"]
    assert [option.name for option in options if not option.help] == []


def test_version():
    assert CliRunner().invoke(tfft, ["--version"]).output == f"tfft, version {__version__}\n"
