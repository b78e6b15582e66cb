"use strict";

masklab.start();
