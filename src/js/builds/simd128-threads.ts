/** The workers of the build for every browser, on several threads. */
import * as bindings from './simd128-threads/qwen3_rerank.js';
import { serve } from '../worker.js';

serve(bindings, bindings);
