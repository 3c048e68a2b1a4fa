# Everything runs in .venv, which make creates itself; nothing is installed outside this folder.
# Written for GNU make 3.81 and a POSIX shell: that is what macOS and a bare Debian have.

NOTEBOOKS ?= notebooks
# The first that is there: a week's bundle holds that week's lesson alone.
LESSON   := $(notdir $(firstword $(sort $(wildcard $(NOTEBOOKS)/[0-9][0-9]_*.ipynb))))
LAB_ARGS ?=
WORKERS  ?= 2

PY := .venv/bin/python

# The suite runs a small dask cluster and builds the web page too; authors need what tests need (jupytext).
RUN := .[lab,grade]
TESTED := .[lab,grade,test,dask,docs]
AUTHORS := .[lab,grade,dev,test]
BROWSED := .[lab,grade,test,docs,browser]
TORCH := torch>=2.7,<3
LOWEST := build/lowest

# Learners' copies hold this file too, and have no solutions: what needs them is not offered there.
AUTHOR := $(wildcard solutions)

# What an active environment or a personal pip configuration leaves behind must not steer ours.
unexport PYTHONHOME PYTHONPATH PYTHONSTARTUP VIRTUAL_ENV PIP_PREFIX PIP_TARGET
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_USER := 0
export JUPYTER_PREFER_ENV_PATH := 1

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help lab clean install-run

help:
	@echo 'make lab        install into .venv and open the first lesson in JupyterLab'
ifneq ($(AUTHOR),)
	@echo 'make test       run the whole suite'
	@echo 'make test-torch install PyTorch too, and run what compares with it'
	@echo 'make test-lowest run it with the oldest versions that pyproject.toml allows'
	@echo 'make test-peers install nbgrader and otter too, and let them release and grade'
	@echo 'make grade      grade examples/submissions and say where the report is'
	@echo 'make dist       build wheel, sdist and the bundle for learners into dist/'
	@echo 'make docs       build the web page in build/site/html'
	@echo 'make pdf        the lessons on paper, in build/pdf (needs chromium)'
	@echo 'make test-browser  JupyterLab and the web page in Chromium, as a learner uses them'
	@echo 'make bench      run the scripts of benchmarks/'
	@echo 'make lint       ruff and mypy'
	@echo 'make notebooks  execute solutions/ and write notebooks/ anew (for authors: replaces what is there)'
endif
	@echo 'make clean      remove .venv, build/ and caches; notebooks stay'
	@echo 'Another Python: make lab PYTHON=python3.12     Options for JupyterLab: make lab LAB_ARGS="--port=9999"'

# A .venv that somebody else made is theirs.
OURS := { [ -e .venv/.made-by-make ] || [ -e .venv/.bnlib-run ]; }

# $(call install,LEVEL,WHAT): bring .venv to a level (run, test or dev) unless it is there already.
# A stamp holds a checksum of the two files that decide what is installed, and the folder, as a venv cannot move.
# Stamps go first and come last: no stamp for this folder means an install that was stopped, and it is begun afresh.
define install
@set -eu; \
stop() { echo "$$1" >&2; exit 1; }; \
key="$$(cat pyproject.toml constraints.txt | cksum) $$PWD"; \
works() { .venv/bin/python -c '' 2>/dev/null; }; \
same_folder() { case "$$(cat .venv/.bnlib-run 2>/dev/null)" in *" $$PWD") ;; *) return 1;; esac; }; \
version='import sys; print(".".join(map(str, sys.version_info[:3])))'; \
fits='import sys; sys.exit(not (3, 10) <= sys.version_info[:2] < (3, 15))'; \
wanted() { [ -z "$(PYTHON)" ] || [ "$$($(PYTHON) -c "$$version" 2>/dev/null)" = "$$($(PY) -c "$$version")" ]; }; \
keep=no; if works && same_folder && wanted; then keep=yes; fi; \
if [ $$keep = yes ] && [ "$$(cat .venv/.bnlib-$(1) 2>/dev/null)" = "$$key" ]; then exit 0; fi; \
if [ $$keep = no ]; then \
  base=; reason='no python3 here: install Python 3.10 to 3.14 (Debian: apt install python3 python3-venv)'; seen=no; \
  for python in $(or $(PYTHON),python3 python3.14 python3.13 python3.12 python3.11 python3.10); do \
    have="$$("$$python" -c "$$version" 2>/dev/null)" || continue; \
    if ! "$$python" -c "$$fits"; then \
      why="$$python is Python $$have, bnlib needs 3.10 to 3.14: install one, or name one: make $(MAKECMDGOALS) PYTHON=python3.12"; \
    elif ! "$$python" -c 'import ensurepip, venv' 2>/dev/null; then \
      why="$$python (Python $$have) cannot make a venv: install python3-venv (Debian: apt install python3-venv)"; \
    else base=$$python; break; fi; \
    if [ $$seen = no ]; then reason=$$why; seen=yes; fi; \
  done; \
  if [ -z "$$base" ] && [ $$seen = no ] && [ -n "$(PYTHON)" ]; then reason='PYTHON=$(PYTHON) does not run'; fi; \
  [ -n "$$base" ] || stop "$$reason"; \
  if [ -e .venv ] && ! $(OURS); then stop '.venv is there, and make did not make it: give it another name, or remove it'; fi; \
  rm -rf .venv; mkdir .venv; touch .venv/.made-by-make; \
  "$$base" -m venv .venv || stop 'could not make .venv: the lines above say why'; \
fi; \
levels='run $(1)'; \
for level in test dev browser; do \
  if [ "$$(cat .venv/.bnlib-$$level 2>/dev/null)" = "$$key" ]; then levels="$$levels $$level"; fi; \
done; \
rm -f .venv/.bnlib-*; \
echo 'Installing into .venv: the first time takes a minute or two.'; \
$(PY) -m pip install --quiet --constraint constraints.txt --editable '$(2)' \
  || stop 'the install stopped: the lines above say why; the same command begins it again'; \
for level in $$levels; do echo "$$key" > .venv/.bnlib-$$level; done
endef

install-run:
	$(call install,run,$(RUN))

# JupyterLab sees that folder only, and nothing here writes there. Without a screen it prints the address to open.
lab: install-run
	@set -eu; options=; \
	if [ "$$(id -u)" = 0 ]; then options="--allow-root"; fi; \
	if [ "$$(uname)" = Linux ] && [ -z "$${DISPLAY-}$${WAYLAND_DISPLAY-}$${BROWSER-}" ]; then \
	  options="$$options --no-browser"; echo 'No screen here: open the address that JupyterLab prints.'; fi; \
	PATH="$$PWD/.venv/bin:$$PATH"; export PATH; exec $(PY) -m jupyterlab --ServerApp.root_dir='$(NOTEBOOKS)' \
	  --LabApp.default_url=/lab$(addprefix /tree/,$(LESSON)) $$options $(LAB_ARGS)

clean:
	@if $(OURS); then rm -rf .venv; fi
	@rm -rf build dist bnlib.egg-info .hypothesis .mypy_cache .pytest_cache .ruff_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

ifneq ($(AUTHOR),)
.PHONY: test test-torch test-lowest test-peers grade dist docs pdf test-browser bench lint notebooks install-test install-dev install-browser

install-test:
	$(call install,test,$(TESTED))

install-dev:
	$(call install,dev,$(AUTHORS))

install-browser:
	$(call install,browser,$(BROWSED))

# One run, so that two workers stay busy and one closing line tells the result. nbval takes every notebook it meets:
# those under tests/ are material of tests, not tests.
test: install-test
	@$(PY) -m pytest -n $(WORKERS) --dist loadfile -p no:cacheprovider \
	  --nbval-lax --nbval-cell-timeout=120 --ignore-glob='tests/*.ipynb' tests solutions

# PyTorch is no requirement (200 MB); here the tests that compare with it do not skip.
test-torch: install-test
	@$(PY) -m pip install --quiet --constraint constraints.txt '$(TORCH)'
	@$(PY) -m pytest -p no:cacheprovider -k torch tests

# A venv of its own, made anew: what is asked is whether the bounds hold, and no newer version may be left in it.
test-lowest: install-test
	@rm -rf $(LOWEST) && mkdir -p $(LOWEST)
	@$(PY) .ci/lowest.py > $(LOWEST)/constraints.txt
	@$(PY) -m venv $(LOWEST)/venv
	@$(LOWEST)/venv/bin/python -m pip install --quiet --constraint $(LOWEST)/constraints.txt --editable '$(TESTED)'
	@$(LOWEST)/venv/bin/python -m pytest -n $(WORKERS) --dist loadfile -p no:cacheprovider \
	  --nbval-lax --nbval-cell-timeout=120 --ignore-glob='tests/*.ipynb' tests solutions

test-peers: install-test
	@$(PY) tests/peers/environments.py
	@$(PY) -m pytest -p no:cacheprovider tests/peers

# Chromium is taken from the machine; where there is none, the tests say so in one line.
test-browser: install-browser
	@$(PY) -m pytest -p no:cacheprovider tests/browser

# SHOW="translation.center" lets the page tell that answer, folded. Nothing is fetched.
docs: install-test
	@$(PY) docs/site/compose.py build/site --show $(SHOW)
	@echo "The page is $$PWD/build/site/html/index.html"

# The lessons on paper, by the browser that is there; figures and quizzes stand as they stand on the page.
CHROMIUM ?= $(shell command -v chromium || command -v chromium-browser || command -v google-chrome)
pdf: docs
	@[ -n "$(CHROMIUM)" ] || { echo 'make pdf needs chromium or google-chrome: install one, or name one: make pdf CHROMIUM=...' >&2; exit 1; }
	@set -eu; mkdir -p build/pdf; options=; if [ "$$(id -u)" = 0 ]; then options=--no-sandbox; fi; \
	for page in build/site/html/lessons/*.html build/site/html/formulas.html; do \
	  pdf="build/pdf/$$(basename "$$page" .html).pdf"; \
	  "$(CHROMIUM)" --headless --disable-gpu $$options --virtual-time-budget=20000 --no-pdf-header-footer \
	    --print-to-pdf="$$pdf" "file://$$PWD/$$page" 2>/dev/null; echo "$$pdf"; done

grade: install-run
	@.venv/bin/bnlib grade examples/submissions --out build/grades --force --cell-seconds 10
	@echo "The report is in $$PWD/build/grades: start with gradebook.csv"

dist: install-test
	@rm -rf dist && mkdir dist
	@$(PY) -c 'from setuptools import build_meta; build_meta.build_sdist("dist")' >/dev/null
	@$(PY) -m pip wheel --quiet --no-build-isolation --no-deps --wheel-dir dist dist/*.tar.gz
	@.venv/bin/bnlib release --zip dist/course.zip

bench: install-test
	@set -eu; ls benchmarks/*.py >/dev/null 2>&1 || { echo 'benchmarks/ holds no script'; exit 0; }; \
	for script in benchmarks/*.py; do echo "== $$script"; $(PY) "$$script"; done

lint: install-dev
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy

notebooks: install-dev
	@.venv/bin/bnlib build
	@.venv/bin/bnlib release
	@.venv/bin/bnlib formulas
endif
