/** The worker of the build for browsers with relaxed SIMD, on one thread. */
import * as bindings from './relaxed/qwen3_rerank.js';
import { serve } from '../worker.js';

serve(bindings);
