"""Answers as LaTeX: one self-contained document, or fragments with their style file."""

from importlib.resources import files

from derivations.answers import diagrams
from derivations.answers.parts import Checked, Code, Figure, Mistake, Question, Table, Text, Work

SECTIONS = {
    "1": "Machine learning basics",
    "2": "An image classifier in PyTorch",
    "3": "Interview questions",
    "4": "Generative adversarial networks",
}

STYLE = (
    r"""\usepackage[T1]{fontenc}
\usepackage[utf8]{inputenc}
\usepackage{lmodern}
\usepackage{amsmath,amssymb}
\usepackage{microtype}
\usepackage{booktabs,array}
\usepackage{listings,upquote}
\usepackage[most]{tcolorbox}
\usepackage{caption}
"""
    + diagrams.PREAMBLE
    + r"""\captionsetup{font=small,labelfont=bf,hypcap=false}
\definecolor{answerblue}{RGB}{31,78,140}
\definecolor{answerred}{RGB}{176,58,46}
\newtcolorbox{question}[1]{enhanced,colback=answerblue!5,colframe=answerblue!60,boxrule=0pt,leftrule=2.5pt,
  arc=0pt,left=8pt,right=8pt,top=4pt,bottom=4pt,before upper={\textbf{#1}\enspace},after={\par\nobreak\vspace{2pt}}}
\newtcolorbox{mistake}{enhanced,breakable,colback=answerred!5,colframe=answerred!60,boxrule=0pt,leftrule=2.5pt,
  arc=0pt,left=8pt,right=8pt,top=4pt,bottom=4pt,
  before upper={\textbf{\textcolor{answerred}{Common mistake.}}\enspace}}
\newcommand{\proven}[1]{\par\nobreak\vspace{-0.4\belowdisplayskip}\noindent{\footnotesize\textcolor{black!60}{#1}}\par}
\newcommand{\work}{\par\nobreak\vspace{-0.55\baselineskip}\noindent}
\lstdefinestyle{answer}{language=Python,basicstyle=\ttfamily\footnotesize,columns=fullflexible,keepspaces=true,
  showstringspaces=false,upquote=true,breaklines=true,frame=single,rulecolor=\color{black!25},framesep=6pt,xleftmargin=7pt,
  xrightmargin=7pt,keywordstyle=\color{answerblue}\bfseries,commentstyle=\color{black!55}\itshape,
  stringstyle=\color{answerred}}
\allowdisplaybreaks[1]
\postdisplaypenalty=10000
\setlength{\parindent}{0pt}
\setlength{\parskip}{5pt plus 1pt minus 1pt}
"""
)

PACKAGE = (
    "% Style of the answers: \\usepackage{answers} in the preamble, then \\input{answer-1.1} where it belongs.\n"
    "\\NeedsTeXFormat{LaTeX2e}\n\\ProvidesPackage{answers}[Style of the derived answers]\n"
)

BEGIN = r"""\documentclass[11pt,a4paper]{article}
\usepackage[margin=2.5cm]{geometry}
"""
TITLE = r"""\usepackage[hidelinks]{hyperref}
\title{Homework 4: answers, derived and proven}
\author{}
\date{}
\begin{document}
\maketitle
\begin{abstract}\noindent
The step-by-step derivations on these pages were produced by a program, and each line names its rule; the text around
them was written by hand. The note under a derivation says how it was checked that each line equals the one before:
by calculating both sides exactly at random points, modulo the prime $2^{61} - 1$ where they are polynomials or fractions
(a false line would survive with the probability given, for matrices of the sizes tried, 2 to 5), in rational numbers
where order matters, with 50 digits otherwise. The project's tests compare every result with PyTorch's autograd as well.
LAYOUT $\mathrm{d}$ is the differential; $\odot$, $\oslash$ and $\mathbf{x}^{\odot a}$ are the Hadamard product, quotient
and power; $\mathbf{1}$ is a vector of ones, $\mathbf{1}[\cdot]$ is $1$ where a condition holds and $0$ elsewhere;
$\sigma(u) = 1/(1 + e^{-u})$, $\operatorname{softplus}(u) = \log(1 + e^u)$ and $\operatorname{ReLU}(u) = \max(u, 0)$.
\end{abstract}
\tableofcontents
\clearpage
"""
END = "\\end{document}\n"


LAYOUT_NOTES = {
    "denominator": (
        r"A gradient has the shape of its variable, and $(\partial\mathbf{y}/\partial\mathbf{x})_{ij} = "
        r"\partial y_j/\partial x_i$, the denominator layout of the homework's formula sheet; the Jacobian with "
        r"$\partial y_i/\partial x_j$ is written $\partial\mathbf{y}/\partial\mathbf{x}^{\top}$."
    ),
    "numerator": (
        r"Derivatives are in numerator layout, $(\partial\mathbf{y}/\partial\mathbf{x}^{\top})_{ij} = "
        r"\partial y_i/\partial x_j$, where 1.1 asks for them; the homework's formula sheet has their transposes."
    ),
}


def document(answers, proofs, layout="denominator"):
    """The whole document. proofs: answer number -> one line for each derivation of the answer."""
    text, section = [BEGIN + STYLE + TITLE.replace("LAYOUT", LAYOUT_NOTES[layout])], None
    for answer in answers:
        chapter = answer.number.split(".")[0]
        if chapter != section:
            section = chapter
            text.append(f"\\setcounter{{section}}{{{int(chapter) - 1}}}\n\\section{{{SECTIONS[chapter]}}}\n")
        text.append(f"\\setcounter{{subsection}}{{{int(answer.number.split('.')[1]) - 1}}}\n")
        text.append(fragment(answer, proofs[answer.number]))
    return "\n".join([*text, END])


def package():
    """answers.sty, the style that the fragments need."""
    return PACKAGE + STYLE.replace(r"\usepackage", r"\RequirePackage") + "\\endinput\n"


def fragment(answer, proofs):
    """One answer as a subsection."""
    lines = [f"\\subsection{{{answer.title}}}"]
    proofs = iter(proofs)
    for part in answer.parts:
        lines.append(FORMS[type(part)](part))
        if isinstance(part, Work):
            lines.append(f"\\proven{{{next(proofs)}}}")
    return "\n".join(lines) + "\n"


def source(file):
    """The text of a file of the snippets."""
    return files("derivations.answers").joinpath("snippets", file).read_text(encoding="utf-8")


def _code(part):
    listing = f"\\begin{{lstlisting}}[style=answer]\n{source(part.file).rstrip()}\n\\end{{lstlisting}}"
    return f"\\begin{{minipage}}{{\\linewidth}}\n{listing}\n\\end{{minipage}}\\par"


def _figure(part):
    return f"\\begin{{center}}\n{part.latex}\n\\captionof{{figure}}{{{part.caption}}}\n\\end{{center}}"


def _table(part):
    rows = [" & ".join(row) + r" \\" for row in (part.header, *part.rows)]
    rows.insert(1, r"\midrule")
    body = "\n".join(rows)
    return (
        f"\\begin{{center}}\\small\n\\begin{{tabular}}{{{part.columns}}}\n\\toprule\n{body}\n"
        "\\bottomrule\n\\end{tabular}\n\\end{center}"
    )


FORMS = {
    Text: lambda p: p.latex + "\n",
    Question: lambda p: f"\\begin{{question}}{{{p.label}}}\n{p.latex}\n\\end{{question}}",
    Work: lambda p: f"{p.lead}\\work\n{p.derivation.to_latex(p.name, where=p.where, box=p.box)}",
    Mistake: lambda p: f"\\begin{{mistake}}\n{p.latex}\n\\end{{mistake}}",
    Code: _code,
    Figure: _figure,
    Table: _table,
    Checked: lambda p: f"\\proven{{{p.latex}}}",
}
