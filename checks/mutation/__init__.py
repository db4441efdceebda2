"""
Mutation testing: finds changes of the code that no test notices.

A mutant is a module with one small change, such as ``<`` for ``<=``. The tests of that module have to fail with it. A
mutant that they pass survives: a test is missing, or the change makes no difference. The latter is an equivalent, and
is listed with its reason in ``equivalents.toml``.

1. `mutants` makes the mutants of a module; it only reads and writes text.
2. `trials` runs tests on one mutant, in a forked process that is bounded in time. The files of the project are never
   changed: the process loads the changed text in place of the module.
3. `targets` has the tests of each module, and `equivalents` reads the list.
4. `run` tries all mutants of a module, and `tally` judges them; ``python -m checks.mutation`` puts it together.

mutmut 3.8 was tried first. It changes functions only, no constants and no class attributes, and leaves out those with a
decorator; it removes no statement; it numbers its mutants, so that a list of equivalents would change with every line;
and it runs pytest, on one reactor, where tests of reactors need trial on several. cosmic-ray 8.7 writes each mutant
into the project's own files, and starts Python anew for each, which takes longer than most of the tests.
"""
