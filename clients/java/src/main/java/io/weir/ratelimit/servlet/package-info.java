/** Limits for whatever serves by jakarta.servlet: Spring, Tomcat, Jetty. */
package io.weir.ratelimit.servlet;
