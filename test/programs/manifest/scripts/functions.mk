# SPDX-License-Identifier: MIT
#
# GNU make's language: functions, pattern rules, recursion, conditionals, order-only prerequisites, errors.

names := one two three four
upper = $(shell echo $(1) | tr a-z A-Z)
reverse = $(if $(1),$(call reverse,$(wordlist 2,$(words $(1)),$(1))) $(firstword $(1)))
targets := $(names:%=out/%.txt)

.NOTPARALLEL:

all: $(targets) summary sub again
	@echo "all: $(words $^) prerequisites"

out/%.txt: | out
	@echo "making $* $(call upper,$*)" | tee $@

out:
	@mkdir -p $@

summary: $(targets)
	@cat $^ | wc -l
	@echo "$(strip $(call reverse,$(names))) / $(sort $(names)) / $(filter t%,$(names))"
	@echo "$(patsubst %,<%>,$(names)) $(subst o,0,$(names)) $(foreach n,$(names),$(n):$(words $(names)))"
ifeq ($(words $(names)),4)
	@echo four names
else
	@echo not four
endif

define SUB
inner: ; @echo "inner make level $$(MAKELEVEL), $$(GREETING)"
endef
export SUB
export GREETING = hello

sub:
	@echo "$$SUB" > sub.mk
	@$(MAKE) -s -f sub.mk inner

again: $(targets)
	@$(MAKE) -q -f $(firstword $(MAKEFILE_LIST)) out/one.txt && echo "nothing to do"

fails:
	@echo "before the error"
	@exit 3
	@echo never

.DELETE_ON_ERROR:
