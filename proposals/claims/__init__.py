"""The page's sentences, each put to the test.

    claim        what a claim is, and the one rule from evidence to answer
    trial        cases run through the lab, singly and in exhaustive loops
    bench        two machines side by side, driven by the proposals' Python APIs
    cost, code   what a use case takes, measured on runs; what a design takes, measured on its source
    traced       which functions a piece of work runs through
    cody, simoncelli, bonzini, liguori   the claims about each author's proposal, one function an experiment
    handling     what freeze leaves to management, beside the group snapshot
    page         all of them, in the page's order

An experiment never states its answer.  It says what would confirm the claim and what would refute it, runs,
and reports which of the two it saw; `claim.answer` does the rest.
"""
