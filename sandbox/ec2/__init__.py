# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""EC2 as the sandbox answers it: subclasses of moto's responses and models that add what moto leaves out."""
