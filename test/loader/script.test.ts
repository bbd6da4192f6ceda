// SPDX-License-Identifier: MIT

import { describe, expect, it } from 'vitest';
import { utf8 } from '../../src/base/bytes.ts';
import { readScriptLine } from '../../src/loader/index.ts';

describe('readScriptLine', () => {
  it.each<[string, { interpreter: string; argument: string | undefined } | undefined]>([
    ['#!/bin/sh\necho', { interpreter: '/bin/sh', argument: undefined }],
    ['#! /bin/sh  \n', { interpreter: '/bin/sh', argument: undefined }],
    ['#!/usr/bin/env  node --x  y \n', { interpreter: '/usr/bin/env', argument: 'node --x  y' }],
    ['#!/bin/sh', { interpreter: '/bin/sh', argument: undefined }],
    ['#!\n/bin/sh', undefined],
    ['#!   \n', undefined],
    ['#/bin/sh\n', undefined],
    ['', undefined],
    ['#!', { interpreter: '', argument: undefined }],
    ['#!/bin/sh -x  ', { interpreter: '/bin/sh', argument: '-x  ' }],
    ['#!/bin/sh ', { interpreter: '/bin/sh', argument: '' }],
    ['#!/bin/sh\0-x\n', { interpreter: '/bin/sh', argument: undefined }],
    ['#!' + ' '.repeat(300), undefined],
    ['#!' + 'x'.repeat(300), undefined],
    ['#!/bin/sh ' + 'x'.repeat(300), { interpreter: '/bin/sh', argument: 'x'.repeat(246) }],
  ])('reads %j', (text, line) => {
    expect(readScriptLine(utf8(text).subarray(0, 256))).toEqual(line);
  });
});
