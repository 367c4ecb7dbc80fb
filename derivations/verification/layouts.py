"""What shape a derivative must have in its layout."""

from derivations.errors import UnsupportedError
from derivations.expressions import shape_of

ORDERS = {
    **dict.fromkeys(("gradient", "numerator", "denominator", "vec", "shape_of_output"), 1),
    **dict.fromkeys(("hessian", "hessian_vec"), 2),
}


def expected_shape(derivation):
    """(rows, columns) of the result, as SymPy sizes; the contract of the layouts."""
    rows, columns = shape_of(derivation.expression)
    if not derivation.wrt_all:
        return rows, columns
    shapes = [shape_of(v) for v in derivation.wrt_all]
    if ORDERS.get(derivation.layout) != len(shapes):
        raise UnsupportedError(f"the layout {derivation.layout!r} is not known for order {len(shapes)}")
    if derivation.layout == "hessian_vec":
        return tuple(r * c for r, c in shapes)
    if derivation.layout == "vec":
        return rows * columns, shapes[0][0] * shapes[0][1]
    if derivation.layout == "hessian":
        return shapes[0][0], shapes[1][0]
    if derivation.layout == "denominator":
        return shapes[0][0], rows
    if derivation.layout == "numerator":
        return (rows, shapes[0][0]) if (rows, columns) != (1, 1) else shapes[0][::-1]
    return shapes[0] if derivation.layout == "gradient" else (rows, columns)


def misfit(derivation):
    """What is wrong with the shape of the result, or an empty string."""
    found, expected = shape_of(derivation.result), expected_shape(derivation)
    if found == expected:
        return ""
    return f"the result is {found[0]}x{found[1]}, and the {derivation.layout} layout wants {expected[0]}x{expected[1]}"
