"""The random problems and broken texts as hypothesis strategies."""

from hypothesis import strategies as st

from tests.derivations.fuzzing import grammar


@st.composite
def problems(draw, depth=4):
    return grammar.problem(lambda options: draw(st.sampled_from(options)), depth)


# What a broken text is made with; it shrinks as hypothesis' own data do.
accidents = st.randoms(use_true_random=False)
