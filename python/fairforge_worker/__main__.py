"""Entry of `python3 FOLDER runner MODULE:CLASS [--batches each|whole|parallel]` and `python3 FOLDER llm CLASS_PATH`.

Kept to syntax that any Python understands, so that an old one gets as far as its sentence.
"""
import os
import sys


def main():
    if sys.version_info < (3, 10):
        sys.stdout.write('{"type":"welcome","protocol":1,"error":"Python runners need Python 3.10 or newer, and %s is %d.%d."}\n'
                         % (os.path.basename(sys.executable), sys.version_info[0], sys.version_info[1]))
        return 0
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [os.path.dirname(here)] + [p for p in sys.path if os.path.abspath(p) != here]
    from fairforge_worker import adapter
    sys.path[0] = os.getcwd()  # the user's modules come first, as with any script of theirs
    return adapter.main(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
