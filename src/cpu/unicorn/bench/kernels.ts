// SPDX-License-Identifier: MIT
//
// Guest code whose speed is measured: five kernels in the manner of small benchmarks, as machine code. On entry rdi
// points to 16 MiB of data, rsi to another 64 KiB, rbx holds the number of rounds, rax a seed; each ends in int3.

export interface Kernel {
  readonly name: string;
  readonly what: string;
  /** Machine code in hex. */
  readonly code: string;
  /** Rounds that take some tenths of a second. */
  readonly rounds: number;
}

const CRC = [
  '31c9', // 0: xor ecx,ecx
  '89c8', // 2: mov eax,ecx
  'ba08000000', // 4: mov edx,0x8
  'd1e8', // 9: shr eax,1
  '7305', // b: jae 0x12
  '352083b8ed', // d: xor eax,0xedb88320
  'ffca', // 12: dec edx
  '75f3', // 14: jne 0x9
  '89048f', // 16: mov dword [rdi+rcx*4],eax
  'ffc1', // 19: inc ecx
  '81f900010000', // 1b: cmp ecx,0x100
  '75df', // 21: jne 0x2
  'b8ffffffff', // 23: mov eax,0xffffffff
  '4531c0', // 28: xor r8d,r8d
  '0fb6c8', // 2b: movzx ecx,al
  '42320c06', // 2e: xor cl,byte [rsi+r8*1]
  'c1e808', // 32: shr eax,0x8
  '33048f', // 35: xor eax,dword [rdi+rcx*4]
  '0fb6c8', // 38: movzx ecx,al
  '42324c0601', // 3b: xor cl,byte [rsi+r8*1+0x1]
  'c1e808', // 40: shr eax,0x8
  '33048f', // 43: xor eax,dword [rdi+rcx*4]
  '4183c002', // 46: add r8d,0x2
  '4181e0ff0f0000', // 4a: and r8d,0xfff
  '48ffcb', // 51: dec rbx
  '75d5', // 54: jne 0x2b
  'cc', // 56: int3
];

const SIEVE = [
  '31c9', // 0: xor ecx,ecx
  '48c7040f00000000', // 2: mov qword [rdi+rcx*1],0x0
  '48c7440f0800000000', // a: mov qword [rdi+rcx*1+0x8],0x0
  '48c7440f1000000000', // 13: mov qword [rdi+rcx*1+0x10],0x0
  '48c7440f1800000000', // 1c: mov qword [rdi+rcx*1+0x18],0x0
  '83c120', // 25: add ecx,0x20
  '81f900000400', // 28: cmp ecx,0x40000
  '75d2', // 2e: jne 0x2
  'b902000000', // 30: mov ecx,0x2
  '803c0f00', // 35: cmp byte [rdi+rcx*1],0x0
  '7529', // 39: jne 0x64
  '8d1409', // 3b: lea edx,[rcx+rcx*1]
  '448d0449', // 3e: lea r8d,[rcx+rcx*2]
  '4c8d0c17', // 42: lea r9,[rdi+rdx*1]
  '41c60101', // 46: mov byte [r9],0x1
  '41c6040901', // 4a: mov byte [r9+rcx*1],0x1
  '41c6044901', // 4f: mov byte [r9+rcx*2],0x1
  '43c6040101', // 54: mov byte [r9+r8*1],0x1
  '8d148a', // 59: lea edx,[rdx+rcx*4]
  '81fa00000400', // 5c: cmp edx,0x40000
  '72de', // 62: jb 0x42
  'ffc1', // 64: inc ecx
  '81f900020000', // 66: cmp ecx,0x200
  '75c7', // 6c: jne 0x35
  '48ffcb', // 6e: dec rbx
  '758d', // 71: jne 0x0
  'cc', // 73: int3
];

const MEM8 = [
  '4889c1', // 0: mov rcx,rax
  '48c1e10d', // 3: shl rcx,0xd
  '4831c8', // 7: xor rax,rcx
  '4889c1', // a: mov rcx,rax
  '48c1e907', // d: shr rcx,0x7
  '4831c8', // 11: xor rax,rcx
  '4889c1', // 14: mov rcx,rax
  '48c1e111', // 17: shl rcx,0x11
  '4831c8', // 1b: xor rax,rcx
  '4889c1', // 1e: mov rcx,rax
  '81e1f8ff7f00', // 21: and ecx,0x7ffff8
  '4801040f', // 27: add qword [rdi+rcx*1],rax
  '48ffcb', // 2b: dec rbx
  '75d0', // 2e: jne 0x0
  'cc', // 30: int3
];

const SSE2 = [
  'b803000000', // 0: mov eax,0x3
  'f20f2ac8', // 5: cvtsi2sd xmm1,eax
  '660f14c9', // 9: unpcklpd xmm1,xmm1
  '660f28c1', // d: movapd xmm0,xmm1
  '660f28d1', // 11: movapd xmm2,xmm1
  '31c9', // 15: xor ecx,ecx
  '660f281c0f', // 17: movapd xmm3,xmmword [rdi+rcx*1]
  '660f59d9', // 1c: mulpd xmm3,xmm1
  '660f58c3', // 20: addpd xmm0,xmm3
  '660f291c0f', // 24: movapd xmmword [rdi+rcx*1],xmm3
  'f20f59d1', // 29: mulsd xmm2,xmm1
  'f20f58d0', // 2d: addsd xmm2,xmm0
  '660f5cc3', // 31: subpd xmm0,xmm3
  '83c110', // 35: add ecx,0x10
  '81e1f00f0000', // 38: and ecx,0xff0
  '48ffcb', // 3e: dec rbx
  '75d4', // 41: jne 0x17
  'cc', // 43: int3
];

const INTERP = [
  '4989fc', // 0: mov r12,rdi
  '4c8daf00010000', // 3: lea r13,[rdi+0x100]
  '488d054c000000', // a: lea rax,[rip+0x4c]
  '49890424', // 11: mov qword [r12],rax
  '488d055b000000', // 15: lea rax,[rip+0x5b]
  '4989442408', // 1c: mov qword [r12+0x8],rax
  '488d0567000000', // 21: lea rax,[rip+0x67]
  '4989442410', // 28: mov qword [r12+0x10],rax
  '488d056f000000', // 2d: lea rax,[rip+0x6f]
  '4989442418', // 34: mov qword [r12+0x18],rax
  '488d0572000000', // 39: lea rax,[rip+0x72]
  '4989442420', // 40: mov qword [r12+0x20],rax
  '41c7450000010201', // 45: mov dword [r13+0x0],0x1020100
  '41c7450401030004', // 4d: mov dword [r13+0x4],0x4000301
  '4c89ee', // 55: mov rsi,r13
  '31d2', // 58: xor edx,edx
  '4531c0', // 5a: xor r8d,r8d
  '48ffc2', // 5d: inc rdx
  '4d8b542428', // 60: mov r10,qword [r12+0x28]
  '4901d2', // 65: add r10,rdx
  '4d89542428', // 68: mov qword [r12+0x28],r10
  '0fb606', // 6d: movzx eax,byte [rsi]
  '48ffc6', // 70: inc rsi
  '41ff24c4', // 73: jmp qword [r12+rax*8]
  '4901d0', // 77: add r8,rdx
  '4d8d1490', // 7a: lea r10,[r8+rdx*4]
  '4d31c2', // 7e: xor r10,r8
  '49c1c003', // 81: rol r8,0x3
  '0fb606', // 85: movzx eax,byte [rsi]
  '48ffc6', // 88: inc rsi
  '41ff24c4', // 8b: jmp qword [r12+rax*8]
  '4c31c2', // 8f: xor rdx,r8
  '486bd21f', // 92: imul rdx,rdx,0x1f
  '52', // 96: push rdx
  '4159', // 97: pop r9
  '0fb606', // 99: movzx eax,byte [rsi]
  '48ffc6', // 9c: inc rsi
  '41ff24c4', // 9f: jmp qword [r12+rax*8]
  'e813000000', // a3: call 0xbb
  '0fb606', // a8: movzx eax,byte [rsi]
  '48ffc6', // ab: inc rsi
  '41ff24c4', // ae: jmp qword [r12+rax*8]
  '4c89ee', // b2: mov rsi,r13
  '48ffcb', // b5: dec rbx
  '75a3', // b8: jne 0x5d
  'cc', // ba: int3
  '4181e1ffff0000', // bb: and r9d,0xffff
  '4c01d2', // c2: add rdx,r10
  '4a8d544a01', // c5: lea rdx,[rdx+r9*2+0x1]
  'c3', // ca: ret
];

export const KERNELS: readonly Kernel[] = [
  { name: 'crc', what: 'CRC-32 by table over 4 KiB', code: CRC.join(''), rounds: 30000000 },
  { name: 'sieve', what: 'sieve of Eratosthenes over 256 KiB, store-heavy', code: SIEVE.join(''), rounds: 150 },
  { name: 'mem8', what: 'random read-modify-write over 8 MiB', code: MEM8.join(''), rounds: 8000000 },
  { name: 'sse2', what: 'packed and scalar double arithmetic', code: SSE2.join(''), rounds: 6000000 },
  {
    name: 'interp',
    what: 'bytecode interpreter with computed jumps, calls and stack',
    code: INTERP.join(''),
    rounds: 3000000,
  },
];
