// SPDX-License-Identifier: MIT
//
// What is explored, by the names and values of `trapline race --NAME`: for the command, and for whoever asks from afar.

/** All but the scenario optional; what is left out is as on the command line. */
export interface RaceNames {
  readonly scenario: string;
  readonly patch?: string;
  readonly protocol?: string;
  readonly model?: string;
  readonly granule?: number;
  readonly grain?: string;
  readonly atom?: number;
  readonly return?: string;
  readonly threads?: number;
  readonly offset?: number;
  readonly page?: boolean;
  readonly startAt?: number;
  readonly nr?: number;
  /** Address of the trap table. */
  readonly table?: number;
  readonly strategy?: string;
  readonly seed?: number;
  /** States at most for an exhaustive search, schedules at most for the others. */
  readonly budget?: number;
}
