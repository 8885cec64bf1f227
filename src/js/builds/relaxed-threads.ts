/** The workers of the build for browsers with relaxed SIMD, on several threads. */
import * as bindings from './relaxed-threads/qwen3_rerank.js';
import { serve } from '../worker.js';

serve(bindings, bindings);
