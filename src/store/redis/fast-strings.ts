import 'ioredis';

/**
 * ioredis derives a class from String. V8 then keeps String.prototype as a dictionary, and every method of every string
 * in the process costs a look-up, until something is stored in a String object: seen with Node 20.
 */
(Object('') as { stored?: boolean }).stored = true;
