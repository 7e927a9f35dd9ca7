"""fairforge's adapter: Python runners and LangChain models as workers of the protocol of docs/worker-protocol.md.

Started by `fairforge run --python-runner MODULE:CLASS` and `--python-llm CLASS_PATH` (docs/python-runner.md). Python 3.10 or newer, standard library
only. In reading order:

  __main__.py   the version of Python, sys.path
  adapter.py    hello and welcome, the event loop, which message goes where
  channel.py    lines on private copies of stdin and stdout; the runner's prints go to standard error
  loading.py    finds the module and the class, calls the constructor; what is wrong is one sentence
  schemas.py    stand-ins for fair_forge's schemas, offered by standins.py when that package is not installed
  datasets.py   run_dataset for whole sessions, with each finished batch reported at once
  turns.py      run_batch, or a LangChain model (llm.py), for single turns
  results.py    what a runner returned as a reply; failure.py: an exception as a reply; plain.py: any value as JSON
"""
