import { openUnicorn } from '../../src/cpu/unicorn/index.ts';
import { EmulatedCpu } from './emulated.ts';
import { advertisedFeatures } from './features.ts';
import { Prng } from '../../src/base/prng.ts';
import { classifyForms, CODE_NAMES } from './forms.ts';
import { Generator } from './generate.ts';
import { NativeCpu } from './native.ts';
import { Session } from './session.ts';
import { renderFailure } from './report.ts';
import { Coverage, renderCoverage } from './coverage.ts';
const seed=Number(process.argv[2]??1), N=Number(process.argv[3]??4000), show=new RegExp(process.argv[4]??'.'), max=Number(process.argv[5]??0);
const em=new EmulatedCpu(openUnicorn({memoryBytes:64*2**20}));
const {tested,excluded}=classifyForms(advertisedFeatures(em));
const cov=new Coverage(tested);
const s=new Session(new NativeCpu(), em,(c,o)=>cov.add(c,o));
const g=new Generator(new Prng(seed), tested.filter(f=>!process.env.NOP||!/Pcmpestr/.test(f.name)));
console.time('all');
for(let i=0;i<N;i+=4000) s.run(Array.from({length:Math.min(4000,N-i)},()=>g.next()));
console.timeEnd('all');
console.log('failures',s.failures.length,'undefUsed',s.undefinedUsed, [...s.known]);
const by=new Map<string,number>();
for(const f of s.failures){ const u=f.case.units; const form=CODE_NAMES.get(u[u.length-1]!.form)??''; const k=(u.length>1?'MULTI ':'')+f.differences.map(d=>d.field.replace(/\d+$/,'')).filter((x,i,a)=>a.indexOf(x)===i).join('+')+' | '+form.replace(/_.*/,''); by.set(k,(by.get(k)??0)+1);}
console.log([...by].sort((a,b)=>b[1]-a[1]).slice(0,150).map(([k,n])=>n+' '+k).join('\n'));
let shown=0; for(const f of s.failures){ const u=f.case.units; const form=CODE_NAMES.get(u[u.length-1]!.form)??''; if(shown<max&&show.test(form+' '+f.differences.map(d=>d.field).join('+'))){shown++; console.log('INPUT flags',f.case.regs[17]!.toString(16),'mxcsr',Buffer.from(f.case.fx.subarray(24,26)).toString('hex'),'fcw',Buffer.from(f.case.fx.subarray(0,5)).toString('hex'),[...f.case.fx].length, Array.from({length:16},(_,i)=>f.case.regs[i]!.toString(16)).join(' ')); console.log(renderFailure(f,seed).split('\n').map(l=>l.slice(0,6000)).join('\n'));}}
if(process.argv[6]) console.log(renderCoverage(cov,excluded,1));
